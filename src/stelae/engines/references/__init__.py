"""What models are compared with: each reads the same folder without Stelae's packed layers.

``choice.py`` says who answers for a model. Most checkpoints are read by sentence-transformers
itself (``library.py``). One in a layout that it does not know is first written anew in one that
it knows (``layouts.py``). What no library makes is computed by its published formula.
"""
