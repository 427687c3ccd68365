"""What the readers of datasets share: one typed fault, and files that are as they should be."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from seem_wire.errors import CallerError, SeemError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Rgb = npt.NDArray[np.uint8]
    Ints = npt.NDArray[np.int64]


class DatasetInvalid(CallerError):
    """The files are no dataset of this kind, or can't be read; the message says which and why."""

    code = "DATASET_INVALID"
    hint = "Compare the files with those that docs/published.md names for this protocol."


def read_json(path: Path) -> Any:
    """What a JSON file holds."""
    with reading(path):
        return json.loads(path.read_text("utf-8"))


def read_image(path: Path) -> Rgb:
    """Pixels (H, W, 3), not turned upright: the published evaluations don't either."""
    with reading(path), Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def read_image_size(path: Path) -> tuple[int, int]:
    """(H, W), without reading the pixels."""
    with reading(path), Image.open(path) as image:
        return image.height, image.width


def read_labels(path: Path) -> npt.NDArray[np.uint8]:
    """An indexed or grey picture as it is stored (H, W): the numbers, not the palette's colours."""
    with reading(path), Image.open(path) as image:
        if image.mode not in {"P", "L"}:
            raise DatasetInvalid(f"{path} has colours ({image.mode}), not numbers of objects.")
        return np.asarray(image)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what can go wrong with a file's content into `DatasetInvalid`, which names the file."""
    try:
        yield
    except SeemError:
        raise
    except FileNotFoundError:
        raise DatasetInvalid(f"There is no {path}.") from None
    except KeyError as error:
        raise DatasetInvalid(f"{path} has no {error} where one is expected.") from error
    except (OSError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise DatasetInvalid(f"{path}: {type(error).__name__}: {error}") from error


def numbered(entries: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """Entries by their `id`."""
    return {int(entry["id"]): entry for entry in entries}
