"""Pictures: files and arrays to pixels, pixels to what a model reads. NumPy and Pillow only."""
