"""Padding-free building blocks in PyTorch; only this room and the engines import torch."""
