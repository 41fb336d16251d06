from clip_client import Client

c = Client("grpc://0.0.0.0:51000")

r = c.encode(
    [
        "she smiled, with pain",
        "apple.png",
        "http://0.0.0.0:8000/favicon.png",
        "data:image/gif;base64,R0lGODlhAQABAIAAAOQeHgAAACwAAAAAAQABAAACAkQBADs=",
    ]
)

print(r.shape, r.dtype)
