from sie_sdk import SIEClient
from sie_sdk.types import Item

client = SIEClient("http://localhost:8080")
result = client.score(
    "BAAI/bge-reranker-v2-m3",
    query=Item(text="What is Python?"),
    items=[Item(text="Python is..."), Item(text="Java is...")]
)
# Scores are sorted by relevance (rank 0 = most relevant)
for entry in result["scores"]:
    print(f"Rank {entry['rank']}: {entry['score']:.3f}")
