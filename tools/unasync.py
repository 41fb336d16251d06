"""Write the synchronous client, and its tests, from the asynchronous ones.

Word by word: ``async with`` becomes ``with``, ``AsyncClient`` becomes ``Client``.
A substitution that nothing needs any more is a failure, so that the list stays true.

    python tools/unasync.py            write
    python tools/unasync.py --check    fail if a file is not what would be written
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (
    "src/stelae/client",
    "src/stelae/sie",
    "src/stelae/xinference",
    "tests/unit/client",
)
BY_HAND = {"_crew.py", "fix_gate.py"}
"""Files about waiting itself, written by hand on both sides."""

WORDS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\bCoroutine\[Any, Any, (\w+)\]", r"\1"),
        (r"\basync (def|for|with)\b", r"\1"),
        (r"\bawait ", ""),
        (r"\banext\b", "next"),
        (r"\n    aclose = close\n", ""),
        (r"\baclose\b", "close"),
        (r"\baread\b", "read"),
        (r"\baiter_bytes\b", "iter_bytes"),
        (r"\baclosing\b", "closing"),
        (r"\b__aenter__\b", "__enter__"),
        (r"\b__aexit__\b", "__exit__"),
        (r"\b_async\b", "_sync"),
        (r"\basync_each\b", "each"),
        (r"\bSIEAsyncClient\b", "SIEClient"),
        (
            r"\bAsync(Backend|Chats|Client|Crew|Feed|Gate|Generator|HttpBackend|Iterator)\b",
            r"\1",
        ),
        (r"\bAsync(Batches|Files|Jobs|Renewal|Rest|Texts|Writing)\b", r"\1"),
        (r"\bAsync(Machines|Registry)\b", r"\1"),
        (r"\bAsync(\w*)ModelHandle\b", r"\1ModelHandle"),
        (r"\bAsync(Collection|Collections|Job|Launches|Media|Pools|Sender)\b", r"\1"),
    ]
]


def main(arguments: list[str]) -> int:
    """Write, or check; returns the exit code."""
    used: set[re.Pattern[str]] = set()
    wanted = {target: text for folder in FOLDERS for target, text in _converted(folder, used)}
    faults = [f"{pattern.pattern}: no longer used" for pattern, _ in WORDS if pattern not in used]
    if "--check" in arguments:
        faults += _differences(wanted)
    else:
        _write(wanted)
    for fault in faults:
        print(f"unasync: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _converted(folder: str, used: set[re.Pattern[str]]) -> Iterator[tuple[Path, str]]:
    for source in sorted((ROOT / folder / "_async").glob("**/*.py")):
        if source.name in BY_HAND:
            continue
        name = source.relative_to(ROOT)
        text = source.read_text(encoding="utf-8")
        for pattern, replacement in WORDS:
            text, times = pattern.subn(replacement, text)
            if times:
                used.add(pattern)
        target = Path(str(source).replace("/_async/", "/_sync/"))
        yield target, f"# Generated from {name} by tools/unasync.py: do not edit.\n{text}"


def _differences(wanted: dict[Path, str]) -> Iterator[str]:
    for target in sorted(wanted.keys() | _present()):
        text = target.read_text(encoding="utf-8") if target.exists() else None
        if text != wanted.get(target):
            yield f"{target.relative_to(ROOT)}: stale; run 'make fix'"


def _present() -> set[Path]:
    folders = [ROOT / folder / "_sync" for folder in FOLDERS]
    return {
        path for folder in folders for path in folder.glob("**/*.py") if path.name not in BY_HAND
    }


def _write(wanted: dict[Path, str]) -> None:
    for stale in _present() - wanted.keys():
        stale.unlink()
    for target, text in wanted.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
