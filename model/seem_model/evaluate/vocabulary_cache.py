"""The names of the panoptic task as vectors, made once for a checkpoint: it takes minutes."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from seem_model.evaluate.datasets import DatasetInvalid, reading
from seem_model.vocabularies import BACKGROUND, COCO_PANOPTIC, embed_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from seem_model.published import PublishedSeem
    from seem_model.vocabularies import Encodes

    Float32 = npt.NDArray[np.float32]

NAMES = (*COCO_PANOPTIC, BACKGROUND)


def vocabulary_of(
    model: PublishedSeem,
    tokenizer: Encodes,
    file: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Float32:
    """Unit rows (134, C) of NAMES: read from `file` if it is there, else made and written to it.

    Raises:
        DatasetInvalid: The file is not a vocabulary, or is that of another checkpoint.
    """
    if file is not None and file.exists():
        return _read(file, _fingerprint(model))
    rows = embed_names(model.language, tokenizer, NAMES, progress=progress)
    if file is not None:
        buffer = io.BytesIO()
        np.savez(buffer, rows=rows, fingerprint=np.array(_fingerprint(model)))
        with reading(file):
            file.write_bytes(buffer.getvalue())
    return rows


def _read(file: Path, fingerprint: str) -> Float32:
    with reading(file), file.open("rb") as stream:
        try:
            arrays = np.load(stream, allow_pickle=False)
            found, rows = str(arrays["fingerprint"]), arrays["rows"]
        except (EOFError, BadZipFile, IndexError) as error:
            raise DatasetInvalid(f"{file} holds no vocabulary: {error}.") from error
    if found != fingerprint:
        raise DatasetInvalid(f"{file} holds the vocabulary of another checkpoint: remove it.")
    return np.asarray(rows, np.float32)


def _fingerprint(model: PublishedSeem) -> str:
    digest = hashlib.sha256("\n".join(NAMES).encode())
    for name, tensor in sorted(model.language.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
