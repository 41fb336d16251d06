from glob import iglob

from clip_client import Client

c = Client("grpc://0.0.0.0:51000")
r = c.encode(iglob("images/*.png"))
print(len(r))
