from clip_client import Client
from docarray import Document


def data_gen():
    for _ in range(100):
        yield Document(uri="apple.png")


c = Client("grpc://0.0.0.0:51000")
r = c.encode(data_gen(), batch_size=32, show_progress=True)
print(r.embeddings.shape)
