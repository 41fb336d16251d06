from docarray import Document

d = Document(
    text="a photo of conference room",
    matches=[
        Document(uri="rerank.png"),
        Document(uri="apple.png"),
    ],
)

from clip_client import Client

c = Client(server="grpcs://0.0.0.0:51000")
r = c.rank([d])

print(r["@m", ["uri", "scores__clip_score__value"]])
