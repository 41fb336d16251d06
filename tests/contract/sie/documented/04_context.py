from sie_sdk import SIEClient
from sie_sdk.types import Item

with SIEClient("http://localhost:8080") as client:
    result = client.encode("BAAI/bge-m3", Item(text="Hello"))
# Client automatically closed
