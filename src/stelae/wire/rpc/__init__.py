"""gRPC's own services: health and reflection.

Source:
    The gRPC health checking protocol (``grpc.health.v1``) and server reflection protocol
    (``grpc.reflection.v1``, ``v1alpha``).
"""
