"""How models write calls of tools: one file for each public format.

``table.FORMATS`` has them by name. A format reads calls out of a text that grows (``Format.read``)
and says which form the text must have where a call is wanted (``Format.shape``).
"""
