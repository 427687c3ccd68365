"""The reference of the protocol, made of `seem.proto` and its comments by the compiler itself."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROTO = "seem_wire/v1/seem.proto"

# The numbers of these parts in descriptor.proto: a comment's place is a path of them.
_MESSAGES, _ENUMS, _SERVICES, _PARTS, _SYNTAX = 4, 5, 6, 2, 12

Comments = dict[tuple[int, ...], str]


def described(protos: Path) -> FileDescriptorProto:
    """What the compiler says of the protocol below the folder `protos`, comments included."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "seem.binpb")
        command = [sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", "-I", str(protos)]
        command += ["--include_source_info", f"--descriptor_set_out={out}", str(protos / PROTO)]
        subprocess.run(command, check=True)
        return FileDescriptorSet.FromString(out.read_bytes()).file[0]


def reference(file: FileDescriptorProto) -> str:
    """The page: calls, then messages and enumerations in the order of the file."""
    comments = _comments(file)
    lines = ["# Protocol reference", "", f"Package `{file.package}`, made of `protos/{PROTO}`.", ""]
    lines += _top(file)
    for place, service in enumerate(file.service):
        lines += _service(service, (_SERVICES, place), comments)
    places = {(_MESSAGES, place): message for place, message in enumerate(file.message_type)}
    enums = {(_ENUMS, place): enum for place, enum in enumerate(file.enum_type)}
    starts = {tuple(one.path): one.span[0] for one in file.source_code_info.location}
    for path in sorted([*places, *enums], key=lambda path: starts[path]):
        if path in places:
            lines += _message(places[path], path, comments)
        else:
            lines += _enum(enums[path], path, comments)
    return "\n".join(lines) + "\n"


def _comments(file: FileDescriptorProto) -> Comments:
    return {
        tuple(one.path): one.leading_comments.strip("\n")
        for one in file.source_code_info.location
        if one.leading_comments
    }


def _top(file: FileDescriptorProto) -> Iterator[str]:
    """What the file says of all of it, before its syntax: a paragraph for each of its headings."""
    for one in file.source_code_info.location:
        if tuple(one.path) == (_SYNTAX,):
            said = "\n".join([*one.leading_detached_comments, one.leading_comments])
            for part in said.strip("\n").split("\n\n"):
                heading, _, text = part.strip("\n").partition("\n")
                yield f"**{heading.strip()}.** {_line(text)}" if text else _line(heading)
                yield ""


def _service(
    service: ServiceDescriptorProto, path: tuple[int, ...], comments: Comments
) -> Iterator[str]:
    yield from (f"## Service {service.name}", "", "| call | takes | gives | |", "|---|---|---|---|")
    for place, call in enumerate(service.method):
        takes = ("a stream of " if call.client_streaming else "") + _named(call.input_type)
        gives = ("a stream of " if call.server_streaming else "") + _named(call.output_type)
        said = _line(comments.get((*path, _PARTS, place), ""))
        yield f"| `{call.name}` | {takes} | {gives} | {said} |"
    yield ""


def _message(message: DescriptorProto, path: tuple[int, ...], comments: Comments) -> Iterator[str]:
    yield from (f"## {message.name}", "")
    if path in comments:
        yield from (_line(comments[path]), "")
    if message.field:
        yield from ("| | field | type | |", "|---|---|---|---|")
    for place, field in enumerate(message.field):
        said = _line(comments.get((*path, _PARTS, place), ""))
        yield f"| {field.number} | `{field.name}` | {_type(field, message)} | {said} |"
    yield ""
    if message.reserved_range:
        kept = ", ".join(_range(one.start, one.end - 1) for one in message.reserved_range)
        yield from (f"Kept for what comes next: {kept}.", "")


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _enum(enum: EnumDescriptorProto, path: tuple[int, ...], comments: Comments) -> Iterator[str]:
    yield from (f"## {enum.name}", "")
    if path in comments:
        yield from (_line(comments[path]), "")
    yield from ("| | value | |", "|---|---|---|")
    for place, value in enumerate(enum.value):
        said = _line(comments.get((*path, _PARTS, place), ""))
        yield f"| {value.number} | `{value.name}` | {said} |"
    yield ""


def _type(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    if field.type in {FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM}:
        name = _named(field.type_name)
    else:
        name = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {name}"
    if field.proto3_optional:
        return f"optional {name}"
    if field.HasField("oneof_index"):
        return f"{name}, one of `{message.oneof_decl[field.oneof_index].name}`"
    return name


def _named(type_name: str) -> str:
    name = type_name.rpartition(".")[2]
    return f"[{name}](#{name.lower()})"


_ESCAPES: Mapping[int, str] = str.maketrans({"|": r"\|", "<": "&lt;", "[": r"\[", "_": r"\_"})


def _line(comment: str) -> str:
    """A comment as one line of a table; what stands in backticks stays as it is."""
    parts = " ".join(comment.split()).split("`")
    kept = [part.translate(_ESCAPES) if at % 2 == 0 else part for at, part in enumerate(parts)]
    return "`".join(kept)
