from sie_sdk.types import Item

# Simple text
Item(text="Hello world")
# With ID for tracking
Item(id="doc-1", text="Document text")
# Multimodal (for CLIP, ColPali, etc.)
Item(text="Description", images=["photo.jpg"])
