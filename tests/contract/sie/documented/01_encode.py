from sie_sdk import SIEClient
from sie_sdk.types import Item

client = SIEClient("http://localhost:8080")
# Single item
result = client.encode("BAAI/bge-m3", Item(text="Hello"))
print(result["dense"][:5])
# Batch
results = client.encode("BAAI/bge-m3", [
    Item(text="First"),
    Item(text="Second"),
])
