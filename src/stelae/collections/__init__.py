"""Collections: documents and their vectors on disk, and the nearest of them."""
