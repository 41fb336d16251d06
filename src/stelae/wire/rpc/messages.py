"""The messages as classes; their descriptors stand in a pool of their own."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

DESCRIPTORS = files(__package__).joinpath("messages.binpb").read_bytes()
"""A ``FileDescriptorSet``, serialised."""

_POOL = DescriptorPool()
for _file in FileDescriptorSet.FromString(DESCRIPTORS).file:
    _POOL.Add(_file)


def _class(name: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(name))


HealthCheckRequest = _class("grpc.health.v1.HealthCheckRequest")
HealthCheckResponse = _class("grpc.health.v1.HealthCheckResponse")
ServerReflectionRequest = _class("grpc.reflection.v1.ServerReflectionRequest")
ServerReflectionResponse = _class("grpc.reflection.v1.ServerReflectionResponse")
