from sie_sdk import SIEClient
from sie_sdk.types import Item

client = SIEClient("http://localhost:8080")
items = [Item(text="First"), Item(text="Second")]
# Per-request GPU selection
result = client.encode(
    "BAAI/bge-m3",
    items,
    gpu="a100-80gb"
)
assert len(result) == 2
# Default GPU for all requests
client = SIEClient(
    "http://router.example.com",
    gpu="l4"
)
assert len(client.encode("BAAI/bge-m3", items)) == 2
