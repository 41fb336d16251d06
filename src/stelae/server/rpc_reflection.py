"""What can be asked over gRPC, for tools that do not know it (``grpc.reflection``)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from stelae.dialects.answers import house_error
from stelae.dialects.base import Asking, Dialect, Rooms, Rpc
from stelae.server.rpc_messages import read, written
from stelae.wire.rpc.messages import ServerReflectionRequest, ServerReflectionResponse

PACKAGES = ("grpc.reflection.v1", "grpc.reflection.v1alpha")
"""Versions that are in use; their messages are the same."""

FILE = "reflection.proto"

NOT_FOUND, INVALID_ARGUMENT = 5, 3


class Directory:
    """Files of descriptors, and where in them a name is explained.

    Args:
        sets: ``FileDescriptorSet``, serialised; of files of one name the first is kept.
        services: Names of the services that are here.
    """

    def __init__(self, sets: Iterable[bytes], services: Iterable[str]) -> None:
        files = [file for data in sets for file in FileDescriptorSet.FromString(data).file]
        own = [file for file in files if file.name == FILE]
        files += [_renamed(file, *PACKAGES) for file in own[:1]]
        kept: dict[str, FileDescriptorProto] = {}
        for file in files:  # in order: what a file needs stands before it
            kept.setdefault(file.name, file)
        self._pool = DescriptorPool()
        for file in kept.values():
            self._pool.AddSerializedFile(file.SerializeToString())
        self.services = sorted(services)

    def file(self, name: str) -> list[bytes]:
        """A file and all that it is made of.

        Raises:
            KeyError: There is none.
        """
        return self._whole(self._pool.FindFileByName(name))

    def explaining(self, symbol: str) -> list[bytes]:
        """The file that explains a message, a service or a method, and all that it is made of.

        Raises:
            KeyError: There is none.
        """
        return self._whole(self._pool.FindFileContainingSymbol(symbol))

    def message(self, name: str) -> None:
        """See whether there is a message.

        Raises:
            KeyError: There is none.
        """
        self._pool.FindMessageTypeByName(name)

    def _whole(self, file: Any) -> list[bytes]:
        found = {file.name: file.serialized_pb}
        waiting = [*file.dependencies]
        while waiting:
            needed = waiting.pop()
            if needed.name not in found:
                found[needed.name] = needed.serialized_pb
                waiting += needed.dependencies
        return [*found.values()]


class Reflection:
    """Answers questions about a directory."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def answer(self, asked: ServerReflectionRequest, asking: Asking, rooms: Rooms) -> object:
        """Answer one question; what cannot be answered is told in the answer."""
        del asking, rooms
        answer = ServerReflectionResponse(valid_host=asked.host, original_request=asked)
        try:
            self._fill(answer, asked)
        except KeyError as error:
            answer.error_response.error_code = NOT_FOUND
            answer.error_response.error_message = f"not found: {str(error)[:200]}"
        return answer

    def _fill(self, answer: ServerReflectionResponse, asked: ServerReflectionRequest) -> None:
        files = answer.file_descriptor_response.file_descriptor_proto
        match asked.WhichOneof("message_request"):
            case "list_services":
                for name in self._directory.services:
                    answer.list_services_response.service.add(name=name)
            case "file_by_filename":
                files.extend(self._directory.file(asked.file_by_filename))
            case "file_containing_symbol":
                files.extend(self._directory.explaining(asked.file_containing_symbol))
            case "all_extension_numbers_of_type":  # proto3 has no extensions
                self._directory.message(asked.all_extension_numbers_of_type)
                named = answer.all_extension_numbers_response
                named.base_type_name = asked.all_extension_numbers_of_type
            case "file_containing_extension":
                raise KeyError(asked.file_containing_extension.containing_type)
            case _:
                answer.error_response.error_code = INVALID_ARGUMENT
                answer.error_response.error_message = "nothing was asked"


def reflection(dialects: Iterable[Dialect]) -> Dialect:
    """The service, in both its versions, as a dialect; it tells of itself too."""
    told = list(dialects)
    names = [f"{package}.ServerReflection" for package in PACKAGES]
    services = {rpc.service for dialect in told for rpc in dialect.rpcs}
    directory = Directory([dialect.descriptors for dialect in told], services.union(names))
    method = partial(
        Rpc,
        handle=Reflection(directory).answer,
        decode=partial(read, ServerReflectionRequest),
        encode=written,
        summary="What can be asked here.",
        streams=True,
        quiet=True,
    )
    rpcs = [method(method=f"/{name}/ServerReflectionInfo") for name in names]
    return Dialect("server", "Reflection", (), house_error, rpcs=rpcs)


def _renamed(file: FileDescriptorProto, package: str, other: str) -> FileDescriptorProto:
    """The same file in another package."""
    text = file.SerializeToString()
    renamed = FileDescriptorProto.FromString(text)
    renamed.name, renamed.package = f"{other}.proto", other
    for field in (field for message in renamed.message_type for field in message.field):
        if field.type_name:
            field.type_name = field.type_name.replace(f".{package}.", f".{other}.")
    for method in (method for service in renamed.service for method in service.method):
        method.input_type = method.input_type.replace(f".{package}.", f".{other}.")
        method.output_type = method.output_type.replace(f".{package}.", f".{other}.")
    return renamed
