from sie_sdk import SIEClient
from sie_sdk.scoring import maxsim
from sie_sdk.types import Item

client = SIEClient("http://localhost:8080")
documents = [Item(text="ColBERT is a retrieval model."), Item(text="A cow stands there.")]
# Encode query with is_query=True for ColBERT models
query_result = client.encode(
    "jinaai/jina-colbert-v2",
    Item(text="What is ColBERT?"),
    output_types=["multivector"],
    is_query=True, # Query mode for late interaction models
)
# Encode documents (no is_query needed for documents)
doc_results = client.encode(
    "jinaai/jina-colbert-v2",
    documents,
    output_types=["multivector"]
)
# Compute MaxSim scores client-side
query_mv = query_result["multivector"]
doc_mvs = [r["multivector"] for r in doc_results]
scores = maxsim(query_mv, doc_mvs)
# Rank by score (higher is more relevant)
ranked = sorted(enumerate(scores), key=lambda x: -x[1])
assert len(ranked) == 2
