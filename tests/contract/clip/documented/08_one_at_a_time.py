from clip_client import Client
from docarray import Document

c = Client("grpc://0.0.0.0:51000")

big_list = [Document(text="hello"), Document(uri="apple.png")]

for d in big_list:
    c.encode([d])

print([d.embedding.shape for d in big_list])
