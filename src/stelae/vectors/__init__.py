"""Arithmetic on finished vectors: NumPy alone, the same in the client and in the server.

``similarity`` compares dense and sparse vectors, ``maxsim`` token vectors; ``quantize``
spends fewer bits on each number, ``pooling`` fewer vectors on each document, and
``muvera`` one vector on all of them. ``ragged``, ``products`` and ``checks`` serve the others.
"""
