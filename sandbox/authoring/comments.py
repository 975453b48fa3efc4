"""Reads what the contract's source says of each member of the event, for types and pages.

Knows where comments are in a compiled proto. Needs a checkout and the proto compiler of the development tools: the
committed stub and page are what an installation has.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet

_PROTO: Final = Path(__file__).parents[2] / "proto"
_FILE: Final = "vestibule/v1/event.proto"
# Of descriptor.proto: the numbers of the fields that a path of a comment goes through.
_MESSAGE, _FIELD, _NESTED = 4, 2, 3


def comment(field: FieldDescriptor) -> str:
    """Return what the contract says of a member, as one paragraph."""
    return _comments()[field.full_name]


@cache
def _comments() -> dict[str, str]:
    from grpc_tools import protoc  # type: ignore[import-untyped]  # it ships no types

    with tempfile.NamedTemporaryFile() as file:
        given = ["protoc", f"-I{_PROTO}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
        given += ["--include_source_info", f"--descriptor_set_out={file.name}", _FILE]
        if protoc.main(given):
            raise SystemExit("the protos cannot be compiled")
        (compiled,) = FileDescriptorSet.FromString(Path(file.name).read_bytes()).file
    said = {tuple(place.path): place.leading_comments for place in compiled.source_code_info.location}
    found: dict[str, str] = {}

    def collect(message: DescriptorProto, name: str, path: tuple[int, ...]) -> None:
        for at, field in enumerate(message.field):
            found[f"{name}.{field.name}"] = " ".join(said.get((*path, _FIELD, at), "").split())
        for at, nested in enumerate(message.nested_type):
            collect(nested, f"{name}.{nested.name}", (*path, _NESTED, at))

    for at, message in enumerate(compiled.message_type):
        collect(message, f"{compiled.package}.{message.name}", (_MESSAGE, at))
    return found
