from docarray import Document

d = Document(
    uri="rerank.png",
    matches=[
        Document(text=f"a photo of a {p}")
        for p in (
            "control room",
            "lecture room",
            "conference room",
            "podium indoor",
            "television studio",
        )
    ],
)

from clip_client import Client

c = Client(server="grpcs://0.0.0.0:51000")
r = c.rank([d])

print(r["@m", ["text", "scores__clip_score__value"]])
