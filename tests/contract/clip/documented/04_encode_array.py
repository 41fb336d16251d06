from clip_client import Client
from docarray import Document, DocumentArray

c = Client("grpc://0.0.0.0:51000")

da = [
    Document(text="she smiled, with pain"),
    Document(blob=open("apple.png", "rb").read()),
    Document(uri="apple.png"),
]

r = c.encode(DocumentArray(da))

r.summary()

print(r.embeddings.shape)
