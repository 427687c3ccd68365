"""RefCOCOg as people have it on disk, and nothing run of it.

Three forms are read:

- `refs(umd).p` beside `instances.json`, as distributed. It is a pickle, which could name any code
  to run; this reader builds lists, dicts, texts and numbers, and refuses everything else.
- the same list as JSON, beside `instances.json`;
- one COCO-style JSON whose annotations carry their own `sentences` and `split`, as conversion
  scripts write it.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from seem_model.evaluate import outlines
from seem_model.evaluate.datasets import DatasetInvalid, numbered, read_json, reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

PICKLED = frozenset({".p", ".pkl", ".pickle"})


@dataclass(frozen=True, slots=True)
class Reference:
    """An object and what was said of it; `segmentation` as COCO writes it."""

    sentence: str
    segmentation: Any

    def draw(self, size: tuple[int, int]) -> Mask:
        """The object's mask (H, W)."""
        return outlines.draw(self.segmentation, size)


@dataclass(frozen=True, slots=True)
class ReferredPicture:
    """An image and all that is referred to in it, in the file's order."""

    path: Path
    references: tuple[Reference, ...]


def read_references(
    file: Path, images: Path, *, instances: Path | None = None, split: str = "val"
) -> tuple[ReferredPicture, ...]:
    """The pictures of a split; of each reference its first sentence, in lower case.

    `instances`: where the annotations are, when `file` holds a list of references alone.

    Raises:
        DatasetInvalid: A file is missing or malformed, or `instances` is needed and not given.
    """
    document = read_pickled(file) if file.suffix in PICKLED else read_json(file)
    with reading(file):
        if isinstance(document, dict):
            annotations, references = document, document["annotations"]
        elif instances is None:
            raise DatasetInvalid(f"{file} lists references without masks: name the instances too.")
        else:
            annotations, references = read_json(instances), document
    with reading(file if instances is None or document is annotations else instances):
        masks = numbered(annotations["annotations"])
        files = numbered(annotations["images"])
    with reading(file):
        return tuple(_pictures(_of_split(references, split), masks, files, images))


def read_pickled(file: Path) -> Any:
    """Lists, dicts, texts and numbers out of a pickle.

    Raises:
        DatasetInvalid: There is no such file, it is no pickle, or it names anything to import.
    """
    with reading(file), file.open("rb") as stream:
        try:
            # Python 2 wrote the published file: its texts are bytes.
            return _PlainUnpickler(stream, encoding="utf-8", errors="replace").load()
        except (pickle.UnpicklingError, EOFError, MemoryError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise DatasetInvalid(f"{file} can't be read: {reason}.") from error


class _PlainUnpickler(pickle.Unpickler):
    """Knows no class or function, so that nothing in a file can call one."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise DatasetInvalid(
            f"The pickle names {module_name}.{global_name}, where plain lists and texts are due;"
            " nothing of it was run."
        )


def _of_split(references: Iterable[Mapping[str, Any]], split: str) -> list[Mapping[str, Any]]:
    """Those of the split; of a file that knows no splits, all."""
    chosen = [one for one in references if one.get("split", split) == split]
    if not chosen:
        raise DatasetInvalid(f"No reference is of the split {split!r}.")
    return chosen


def _pictures(
    references: Sequence[Mapping[str, Any]],
    masks: Mapping[int, Mapping[str, Any]],
    files: Mapping[int, Mapping[str, Any]],
    images: Path,
) -> Iterable[ReferredPicture]:
    by_image: dict[int, list[Reference]] = defaultdict(list)
    for one in references:
        mask = masks[int(one.get("ann_id", one.get("id")))]
        said = one["sentences"][0]
        sentence = said if isinstance(said, str) else said.get("raw", said.get("sent"))
        by_image[int(one["image_id"])].append(Reference(sentence.lower(), mask["segmentation"]))
    for number, found in by_image.items():
        yield ReferredPicture(images / files[number]["file_name"], tuple(found))
