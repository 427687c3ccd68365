"""Reads a table of named tensors from a file that anybody may have made, and runs nothing of it.

A `.pt` file is a pickle, and a pickle is a program. PyTorch's `weights_only` reader follows only
the few instructions that make tensors; around it stand the checks that it leaves out: an archive
that is whole (its checksums are right) and stored as PyTorch stores it, and a content that is one
dict of ordinary tensors.
"""

from __future__ import annotations

import io
import pickletools
import re
import warnings
import zipfile
from typing import TYPE_CHECKING, NoReturn, TypeGuard

import torch
from torch import Tensor

from seem_wire.errors import (
    CheckpointNotFlat,
    CheckpointNotFound,
    CheckpointUnreadable,
    CheckpointUnsafe,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_TENSORS = 20_000
MAX_NAME = 300
MAX_PICKLE_BYTES = 64 * 1024**2
NESTS = ("model", "state_dict", "module")
"""Keys under which training programs keep the weights."""

_CHUNK = 16 * 1024**2
_SHOWN = 5
_ZIP_START = b"PK"
_REFUSED = re.compile(r"GLOBAL (?!was)([\w.]+)")
_HARMLESS = re.compile(r"(torch|collections)\b")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch file by name, mapped from the file where that can be.

    A single well-known nesting, such as {"model": {...}}, is opened.

    Raises:
        CheckpointNotFound: There is no such file.
        CheckpointUnreadable: It is empty, cut short, damaged, or no PyTorch file.
        CheckpointUnsafe: It names code to run.
        CheckpointNotFlat: It holds something else than one dict of name to tensor.
    """
    if not path.exists():
        raise CheckpointNotFound(f"There is no file {path}.")
    if not path.is_file():
        raise CheckpointUnreadable(f"{path} is not a file.")
    try:
        with path.open("rb") as file:
            start = file.read(len(_ZIP_START))
    except OSError as error:
        raise CheckpointUnreadable(f"{path} cannot be read: {error.strerror}.") from error
    if not start:
        raise CheckpointUnreadable(f"{path} is empty.")
    archive = start == _ZIP_START
    if archive:
        _check_archive(path)
    return _flat(_load(path, mapped=archive), path)


def _check_archive(path: Path) -> None:
    """Refuses an archive that PyTorch has not written like this, or that has changed since."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(path, entries)
            for entry in entries:
                _check_sum(archive, entry)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        if isinstance(error, CheckpointUnreadable):  # which is a ValueError
            raise
        raise CheckpointUnreadable(f"{path} is cut short or damaged: {error}.") from error


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename.rpartition("/")[2] for entry in entries]
    if "constants.pkl" in names:
        raise CheckpointUnreadable(f"{path} is a TorchScript program, not a checkpoint.")
    if names.count("data.pkl") != 1:
        raise CheckpointUnreadable(f"{path} is an archive, but not one of PyTorch's.")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise CheckpointUnreadable(f"{path} is compressed, as PyTorch's files never are.")
    if entries[names.index("data.pkl")].file_size > MAX_PICKLE_BYTES:
        raise CheckpointUnreadable(f"{path} holds more than {MAX_PICKLE_BYTES} bytes of names.")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise CheckpointUnreadable(f"{path} claims to hold more than its own size.")


def _check_sum(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Reads one entry to its end, where `zipfile` compares the checksum."""
    with archive.open(entry) as stream:
        while stream.read(_CHUNK):
            pass


def _load(path: Path, *, mapped: bool) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on the age of a format
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # noqa: BLE001  (a spoiled file makes the reader fail in any way)
        _refuse(path, error)


def _refuse(path: Path, error: Exception) -> NoReturn:
    named = _REFUSED.search(str(error))
    code = named.group(1) if named else _foreign_global(path)
    if code:
        raise CheckpointUnsafe(
            f"{path} was not opened: reading it would run code, {code}."
        ) from error
    reason = next(iter(str(error).splitlines()), "")
    if not reason or isinstance(error, KeyError):  # whose text is a bare number
        reason = "it is no pickle of tensors"
    if "weights_only" in reason:  # PyTorch's advice to open it without care is none of ours
        reason = "it holds more than tensors"
    raise CheckpointUnreadable(
        f"{path} is no PyTorch checkpoint, or a damaged one: {reason[:MAX_NAME].rstrip('.')}."
    ) from error


def _foreign_global(path: Path) -> str | None:
    """The first function or class of a pickle that has nothing to do with tensors.

    Pickles of newer protocols than PyTorch writes are refused by it before it comes to a name.
    """
    try:
        names = _globals(io.BytesIO(_pickles_of(path)))
        return next((name[:MAX_NAME] for name in names if not _HARMLESS.match(name)), None)
    except (ValueError, IndexError, OSError, zipfile.BadZipFile):
        return None  # no pickle, then


def _globals(pickles: io.BytesIO) -> Iterator[str]:
    """What pickles that stand one after the other name, without following them."""
    while True:
        texts: list[str] = []
        for operation, argument, _ in pickletools.genops(pickles):
            if operation.name == "GLOBAL":
                yield str(argument).replace(" ", ".")
            elif operation.name == "STACK_GLOBAL":
                yield ".".join(texts)
            elif "UNICODE" in operation.name:
                texts = [*texts[-1:], str(argument)]


def _pickles_of(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return file.read(MAX_PICKLE_BYTES)
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))


def _flat(loaded: object, path: Path) -> dict[str, Tensor]:
    table = _unnested(loaded, path)
    if len(table) > MAX_TENSORS:
        raise CheckpointNotFlat(f"{path} holds {len(table)} tensors, above {MAX_TENSORS}.")
    for name, tensor in table.items():
        if len(name) > MAX_NAME or not name.isprintable():
            raise CheckpointNotFlat(f"{path} names a tensor {name[:MAX_NAME]!r}.")
        strange = _strangeness(tensor)
        if strange:
            raise CheckpointNotFlat(f"{path}: {name} is {strange}, not an ordinary tensor.")
    return {name: tensor.detach() for name, tensor in table.items()}


def _unnested(loaded: object, path: Path) -> Mapping[str, Tensor]:
    if _is_table(loaded):
        return loaded
    if not isinstance(loaded, dict):
        raise CheckpointNotFlat(f"{path} holds a {type(loaded).__name__}, not a dict of tensors.")
    tables = [str(key) for key, value in loaded.items() if _is_table(value)]
    if len(tables) == 1 and tables[0] in NESTS and not _has_tensors(loaded):
        table: Mapping[str, Tensor] = loaded[tables[0]]
        return table
    entries = ", ".join(
        f"{str(key)[:60]!r} ({type(value).__name__})"
        for key, value in list(loaded.items())[:_SHOWN]
    )
    raise CheckpointNotFlat(
        f"{path} holds a dict, but not of tensors alone: {len(loaded)} entries, such as"
        f" {entries or 'none at all'}."
    )


def _has_tensors(values: Mapping[object, object]) -> bool:
    return any(isinstance(value, Tensor) for value in values.values())


def _is_table(value: object) -> TypeGuard[Mapping[str, Tensor]]:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())
    )


def _strangeness(tensor: Tensor) -> str | None:
    if type(tensor) not in {Tensor, torch.nn.Parameter}:
        return f"a {type(tensor).__name__}"
    if tensor.layout != torch.strided:
        return "sparse"
    if tensor.device.type != "cpu":
        return f"kept on {tensor.device.type}"
    return "quantised" if tensor.is_quantized else None
