"""The vocabulary that somebody brings for a bundle: names, and perhaps their embeddings."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seem_model.vocabularies import BACKGROUND
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

MAX_NAMES = 10_000
MAX_NAME = 200
_UNIT = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Names without the background. embeddings: (names + 1, C) unit rows, background last."""

    names: tuple[str, ...]
    embeddings: Float32 | None = None


def read_vocabulary(text: str) -> Words | None:
    """What "coco" (None), "none" (no names) or a file stands for.

    A text file has a name a line. An .npz has `names` (V,) and `embeddings` (V, C), of which the
    last is the background.

    Raises:
        InvalidValue: There is no such file, or it is no list of different names.
    """
    if text in {"coco", "none"}:
        return None if text == "coco" else Words(())
    file = Path(text)
    words = _read_arrays(file) if file.suffix == ".npz" else Words(_read_lines(file))
    _check(words.names, file)
    return words


def _read_lines(file: Path) -> tuple[str, ...]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValue(f"The vocabulary {file} can't be read: {error}.") from error
    return tuple(line.strip() for line in lines if line.strip())


def _read_arrays(file: Path) -> Words:
    try:
        with file.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as arrays:
            names, rows = arrays["names"], arrays["embeddings"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InvalidValue(f"The vocabulary {file} can't be read: {error}.") from error
    if names.ndim != 1 or names.dtype.kind != "U" or rows.dtype.kind != "f":
        raise InvalidValue(f"The vocabulary {file} should hold names and float embeddings.")
    embeddings = np.ascontiguousarray(rows, np.float32)
    if embeddings.ndim != 2 or len(embeddings) != len(names) or not len(names):
        raise InvalidValue(f"The vocabulary {file} should hold one embedding a name.")
    lengths = np.linalg.norm(embeddings, axis=1)
    if not np.all(np.abs(lengths - 1) < _UNIT):  # not-a-number is refused, too
        raise InvalidValue(f"The embeddings of {file} should be of unit length.")
    if names[-1] != BACKGROUND:
        raise InvalidValue(f"The last name of {file} should be {BACKGROUND!r}.")
    return Words(tuple(map(str, names[:-1])), embeddings)


def _check(names: tuple[str, ...], file: Path) -> None:
    if not 1 <= len(names) <= MAX_NAMES or max(map(len, names)) > MAX_NAME:
        raise InvalidValue(
            f"The vocabulary {file} should have 1 to {MAX_NAMES} names of up to {MAX_NAME} letters."
        )
    unreadable = next((name for name in names if not (name.strip() and name.isprintable())), None)
    if unreadable is not None:
        raise InvalidValue(f"The vocabulary {file} names something {unreadable!r}.")
    if len({*names, BACKGROUND}) <= len(names):
        raise InvalidValue(
            f"The vocabulary {file} names something twice; {BACKGROUND!r} is added to every one."
        )
