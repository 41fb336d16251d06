"""Texts that have a given form: JSON of a schema, a regular expression, choices, a grammar.

``Structures`` makes a ``Guide`` of what a call asks for; the sampler asks it before every token
which ones may follow.
"""
