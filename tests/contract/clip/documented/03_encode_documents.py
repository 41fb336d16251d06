from clip_client import Client
from docarray import Document

c = Client("grpc://0.0.0.0:51000")

da = [
    Document(text="she smiled, with pain"),
    Document(uri="apple.png"),
    Document(uri="apple.png").load_uri_to_blob(),
    Document(blob=open("apple.png", "rb").read()),
    Document(uri="http://0.0.0.0:8000/favicon.png"),
    Document(uri="data:image/gif;base64,R0lGODlhAQABAIAAAOQeHgAAACwAAAAAAQABAAACAkQBADs="),
]

r = c.encode(da)

print(type(r).__name__, len(r))
