"""Small compiled kernels for what PyTorch is slow at; without a compiler there are none.

Each is written in C++ beside this file, compiled once per machine when a model first needs it,
and taken only where the processor has the instructions that it was written for. What it computes
is what the layer in PyTorch computes, within the tolerance of the number format.
"""
