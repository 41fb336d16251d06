from sie_sdk import SIEClient

client = SIEClient("http://localhost:8080")
models = client.list_models()
assert "BAAI/bge-m3" in [model["name"] for model in models]
info = client.get_capacity()
assert info["worker_count"] >= 1
info = client.wait_for_capacity("cpu", model="BAAI/bge-m3", timeout_s=30.0)
assert info["worker_count"] >= 1
client.close()
