"""CLIP-as-service's wire: its messages, arrays and access paths, for server and client.

Source:
    The messages that ``clip-client`` 0.8.3, with ``jina`` 3.18 to 3.33 and ``docarray`` 0.21,
    exchanges with its own server.
"""
