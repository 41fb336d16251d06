from pathlib import Path

from PIL import Image
import numpy as np
from sie_sdk import SIEClient
from sie_sdk.types import Item

client = SIEClient("http://localhost:8080")
image_bytes = Path("photo.jpg").read_bytes()
# From PIL Image (recommended)
pil_image = Image.open("photo.jpg")
result = client.encode("openai/clip-vit-base-patch32", Item(
    images=[{"data": pil_image}]
))
# From file path (string or Path)
result = client.encode("openai/clip-vit-base-patch32", Item(
    images=[{"data": "photo.jpg"}]
))
# From bytes (passed through as-is)
result = client.encode("openai/clip-vit-base-patch32", Item(
    images=[{"data": image_bytes, "format": "jpeg"}]
))
# From numpy array (H, W, C)
result = client.encode("openai/clip-vit-base-patch32", Item(
    images=[{"data": np.array(pil_image)}]
))
# Direct image input (shorthand without dict wrapper)
result = client.encode("openai/clip-vit-base-patch32", Item(
    images=[pil_image]
))
assert result["dense"].ndim == 1
