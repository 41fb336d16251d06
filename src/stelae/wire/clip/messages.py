"""The messages as classes.

Their descriptors stand in a pool of their own, so that a process may load ``jina`` and ``docarray``
beside them, whose messages have the same names. ``tools/protos.py`` compiles the ``.proto`` files.
"""

from __future__ import annotations

from importlib.resources import files

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

DESCRIPTORS = files(__package__).joinpath("messages.binpb").read_bytes()
"""A ``FileDescriptorSet``, serialised."""

_POOL = DescriptorPool()
for _file in FileDescriptorSet.FromString(DESCRIPTORS).file:
    _POOL.Add(_file)


def _class(name: str) -> type:
    return GetMessageClass(_POOL.FindMessageTypeByName(name))


Struct = _class("google.protobuf.Struct")
Value = _class("google.protobuf.Value")
Timestamp = _class("google.protobuf.Timestamp")
Document = _class("docarray.DocumentProto")
DocumentArray = _class("docarray.DocumentArrayProto")
NdArray = _class("docarray.NdArrayProto")
DenseNdArray = _class("docarray.DenseNdArrayProto")
NamedScore = _class("docarray.NamedScoreProto")
DataRequest = _class("jina.DataRequestProto")
DataContent = _class("jina.DataRequestProto.DataContentProto")
Header = _class("jina.HeaderProto")
Status = _class("jina.StatusProto")
ExceptionInfo = _class("jina.StatusProto.ExceptionProto")
Route = _class("jina.RouteProto")
Endpoints = _class("jina.EndpointsProto")
JinaInfo = _class("jina.JinaInfoProto")

__all__ = [
    "DESCRIPTORS",
    "DataContent",
    "DataRequest",
    "DecodeError",
    "DenseNdArray",
    "Document",
    "DocumentArray",
    "Endpoints",
    "ExceptionInfo",
    "Header",
    "JinaInfo",
    "NamedScore",
    "NdArray",
    "Route",
    "Status",
    "Struct",
    "Timestamp",
    "Value",
]
