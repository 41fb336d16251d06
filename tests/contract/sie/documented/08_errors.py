from sie_sdk import SIEClient
from sie_sdk.client.errors import RequestError, ProvisioningError
from sie_sdk.types import Item

client = SIEClient("http://localhost:8080")
seen = []
try:
    result = client.encode("unknown-model", Item(text="test"))
except RequestError as e:
    print(f"Invalid request: {e.code} ({e.status_code})")
    seen.append((e.code, e.status_code))
except ProvisioningError as e:
    print(f"No capacity for GPU {e.gpu}, retry after {e.retry_after}s")
assert seen == [("MODEL_NOT_FOUND", 404)]
