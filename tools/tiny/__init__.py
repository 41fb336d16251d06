"""Small checkpoints in real layouts, made from fixed numbers: the same bytes every time."""
