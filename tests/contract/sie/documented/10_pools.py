from sie_sdk import SIEClient
from sie_sdk.types import Item

items = [Item(text="First"), Item(text="Second")]
# Create a pool explicitly
client = SIEClient("http://router.example.com")
client.create_pool("my-test-pool", {"l4": 2, "a100-40gb": 1})
# Route requests to the pool
result = client.encode("BAAI/bge-m3", items, gpu="my-test-pool/l4")
# Check pool status
info = client.get_pool("my-test-pool")
print(f"Pool state: {info['status']['state']}, workers: {len(info['status']['assigned_workers'])}")
# Clean up
client.delete_pool("my-test-pool")
