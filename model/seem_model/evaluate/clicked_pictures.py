"""Objects to be clicked: Pascal VOC's, or those of any COCO-style set.

H, W the picture · n objects
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from seem_model.evaluate import outlines
from seem_model.evaluate.datasets import (
    DatasetInvalid,
    numbered,
    read_image_size,
    read_json,
    read_labels,
    reading,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

VOID = 255
"""Of Pascal VOC: the line around objects. It is no object, so clicks may correct what covers it."""

COCO_FILE = "annotations.json"


class Clickable(Protocol):
    """An image with objects."""

    @property
    def path(self) -> Path:
        """The image."""
        ...

    def masks(self) -> Mask:
        """The objects (n, H, W), each with at least one pixel."""
        ...


@dataclass(frozen=True, slots=True)
class VocPicture:
    """`objects`: the PNG of object numbers."""

    path: Path
    objects: Path

    def masks(self) -> Mask:
        """The objects (n, H, W), in the order of their numbers."""
        numbers = read_labels(self.objects)
        listed = [one for one in np.unique(numbers) if one not in {0, VOID}]
        return numbers == np.array(listed, numbers.dtype)[:, None, None]


@dataclass(frozen=True, slots=True)
class CocoPicture:
    """`segmentations`: as COCO writes them."""

    path: Path
    segmentations: tuple[Any, ...]

    def masks(self) -> Mask:
        """The objects (n, H, W), in the file's order, without empty ones."""
        size = read_image_size(self.path)
        with reading(self.path):
            drawn = [outlines.draw(one, size) for one in self.segmentations]
        return np.array([mask for mask in drawn if mask.any()], np.bool_).reshape(-1, *size)


def read_clickable(folder: Path, split: str = "val") -> Sequence[Clickable]:
    """The pictures of a folder: `VOC2012` as distributed, or one with `annotations.json`.

    `split`: of Pascal VOC, a list in `ImageSets/Segmentation`.

    Raises:
        DatasetInvalid: It is neither, or a file is missing or malformed.
    """
    if (folder / "ImageSets").is_dir():
        return _voc(folder, split)
    if (folder / COCO_FILE).is_file():
        return _coco(folder)
    raise DatasetInvalid(f"{folder} has neither ImageSets/ (Pascal VOC) nor {COCO_FILE}.")


def _voc(folder: Path, split: str) -> list[VocPicture]:
    listed = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
    with reading(listed):
        names = listed.read_text("utf-8").split()
    return [
        VocPicture(
            folder / "JPEGImages" / f"{name}.jpg", folder / "SegmentationObject" / f"{name}.png"
        )
        for name in names
    ]


def _coco(folder: Path) -> list[CocoPicture]:
    file = folder / COCO_FILE
    document = read_json(file)
    with reading(file):
        found: Mapping[int, list[Any]] = defaultdict(list)
        for entry in document["annotations"]:
            if not entry.get("iscrowd"):
                found[int(entry["image_id"])].append(entry["segmentation"])
        return [
            CocoPicture(folder / image["file_name"], tuple(found[number]))
            for number, image in numbered(document["images"]).items()
            if number in found
        ]
