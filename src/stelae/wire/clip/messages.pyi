from abc import ABCMeta
from collections.abc import Iterable, MutableMapping, MutableSequence
from typing import Generic, Self, TypeVar

DESCRIPTORS: bytes

class DecodeError(Exception): ...

_M = TypeVar("_M", bound=_Message)

class _Message:
    @classmethod
    def FromString(cls, data: bytes | memoryview) -> Self: ...
    def ParseFromString(self, data: bytes | memoryview) -> int: ...
    def MergeFromString(self, data: bytes | memoryview) -> int: ...
    def SerializeToString(self) -> bytes: ...
    def ByteSize(self) -> int: ...
    def CopyFrom(self, other: Self) -> None: ...
    def MergeFrom(self, other: Self) -> None: ...
    def HasField(self, name: str) -> bool: ...
    def ClearField(self, name: str) -> None: ...
    def WhichOneof(self, name: str) -> str | None: ...
    def SetInParent(self) -> None: ...

class _Repeated(MutableSequence[_M], Generic[_M], metaclass=ABCMeta):
    def add(self) -> _M: ...
    def MergeFrom(self, other: Iterable[_M]) -> None: ...
    def sort(self, *, key: object = ..., reverse: bool = ...) -> None: ...

class _Named(MutableMapping[str, _M], Generic[_M], metaclass=ABCMeta):
    def get_or_create(self, key: str) -> _M: ...

class Struct(_Message):
    fields: _Named[Value]

class _Values(_Message):
    values: _Repeated[Value]

class Value(_Message):
    null_value: int
    number_value: float
    string_value: str
    bool_value: bool
    struct_value: Struct
    list_value: _Values

class Timestamp(_Message):
    seconds: int
    nanos: int
    def FromNanoseconds(self, nanos: int) -> None: ...
    def ToNanoseconds(self) -> int: ...

class DenseNdArray(_Message):
    buffer: bytes
    shape: MutableSequence[int]
    dtype: str

class NdArray(_Message):
    dense: DenseNdArray
    cls_name: str
    parameters: Struct

class NamedScore(_Message):
    value: float
    op_name: str
    description: str
    ref_id: str

class Document(_Message):
    id: str
    blob: bytes
    tensor: NdArray
    text: str
    granularity: int
    adjacency: int
    parent_id: str
    weight: float
    uri: str
    modality: str
    mime_type: str
    offset: float
    location: MutableSequence[float]
    chunks: _Repeated[Document]
    matches: _Repeated[Document]
    embedding: NdArray
    tags: Struct
    scores: _Named[NamedScore]
    evaluations: _Named[NamedScore]
    _metadata: Struct

class DocumentArray(_Message):
    docs: _Repeated[Document]

class DataContent(_Message):
    docs: DocumentArray
    docs_bytes: bytes

class ExceptionInfo(_Message):
    name: str
    args: MutableSequence[str]
    stacks: MutableSequence[str]
    executor: str

class Status(_Message):
    code: int
    description: str
    exception: ExceptionInfo

class Header(_Message):
    request_id: str
    status: Status
    exec_endpoint: str
    target_executor: str
    timeout: int

class Route(_Message):
    executor: str
    start_time: Timestamp
    end_time: Timestamp
    status: Status

class DataRequest(_Message):
    header: Header
    parameters: Struct
    routes: _Repeated[Route]
    data: DataContent

class Endpoints(_Message):
    endpoints: MutableSequence[str]
    write_endpoints: MutableSequence[str]
    schemas: Struct

class JinaInfo(_Message):
    jina: MutableMapping[str, str]
    envs: MutableMapping[str, str]

__all__ = [
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
