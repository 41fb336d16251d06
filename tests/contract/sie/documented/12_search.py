from types import SimpleNamespace

from sie_sdk import SIEClient
from sie_sdk.types import Item
from sie_sdk.scoring import maxsim

documents = ["Machine learning learns from data.", "A cow stands there.", "Boats depart."]


class VectorDb:
    def __init__(self):
        self.rows = []

    def insert(self, name, vector):
        self.rows.append((name, vector))

    def search(self, vector, top_k):
        best = sorted(self.rows, key=lambda row: -float(row[1] @ vector))[:top_k]
        return [SimpleNamespace(id=n, text=documents[int(n.split("-")[1])]) for n, _ in best]


vector_db = VectorDb()
# Initialize client
client = SIEClient("http://localhost:8080", timeout_s=60.0)
# Dense embeddings
embeddings = client.encode(
    "BAAI/bge-m3",
    [Item(id=f"doc-{i}", text=doc) for i, doc in enumerate(documents)]
)
# Store in vector database
for result in embeddings:
    vector_db.insert(result["id"], result["dense"])
# Query with reranking
query = Item(text="What is machine learning?")
# Stage 1: Vector search
query_emb = client.encode("BAAI/bge-m3", query, is_query=True)
candidates = vector_db.search(query_emb["dense"], top_k=100)
# Stage 2: Rerank
rerank_result = client.score(
    "BAAI/bge-reranker-v2-m3",
    query,
    [Item(id=c.id, text=c.text) for c in candidates]
)
# Top 10 results
top_10 = rerank_result["scores"][:10]
# Clean up
client.close()
assert len(top_10) == 3
