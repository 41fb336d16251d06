"""Write the table of well-known models from the YAML files of their families.

python tools/families.py            write src/stelae/catalog/families.jsonl
python tools/families.py --check    fail if it is not what would be written
"""

from __future__ import annotations

import sys

import msgspec

from stelae.catalog.families import BUILT_IN, TABLE, read_families
from stelae.errors import ModelLoadFailed


def main(arguments: list[str]) -> int:
    """Write, or check; returns the exit code."""
    try:
        wanted = msgspec.json.Encoder().encode_lines(read_families(BUILT_IN))
    except ModelLoadFailed as error:
        print(f"families: {error}", file=sys.stderr)
        return 1
    if "--check" not in arguments:
        TABLE.write_bytes(wanted)
        return 0
    if TABLE.exists() and TABLE.read_bytes() == wanted:
        return 0
    print(f"families: {TABLE.name} is stale; run 'make fix'", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
