"""A video's objects as COCO-style JSON, laid out as YouTube-VIS has it.

videos       id, file_names, height, width, length
annotations  one an object: segmentations, bboxes and areas have an entry a frame, null where
             the object has no pixel or the frame was not looked at
categories   one, "object": nobody says what the objects are
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from seem_wire import rle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

CATEGORY = {"id": 1, "name": "object"}


class VideoDocument:
    """Takes frames in any order, and gives the document; holds run lengths, not masks."""

    def __init__(self, names: Sequence[str], size: tuple[int, int]) -> None:
        self._names, self._size = tuple(names), size
        self._found: dict[int, dict[int, rle.Rle]] = {}

    def add(self, place: int, masks: Mapping[int, Mask]) -> None:
        """What a frame shows, by object id; `place` is its place among the names."""
        for object_id, mask in masks.items():
            seen = self._found.setdefault(object_id, {})
            if mask.any():
                seen[place] = rle.encode(mask)

    def as_json(self) -> dict[str, Any]:
        """The document."""
        height, width = self._size
        video = {
            "id": 1,
            "file_names": list(self._names),
            "height": height,
            "width": width,
            "length": len(self._names),
        }
        annotations = [
            self._annotation(number, object_id)
            for number, object_id in enumerate(sorted(self._found), 1)
        ]
        return {"videos": [video], "annotations": annotations, "categories": [CATEGORY]}

    def _annotation(self, number: int, object_id: int) -> dict[str, Any]:
        seen = [self._found[object_id].get(place) for place in range(len(self._names))]
        height, width = self._size
        return {
            "id": number,
            "video_id": 1,
            "category_id": CATEGORY["id"],
            "track_id": object_id,
            "height": height,
            "width": width,
            "length": len(self._names),
            "iscrowd": 0,
            "segmentations": [
                one and {"size": list(one.size), "counts": one.counts} for one in seen
            ],
            "bboxes": [one and _box(one) for one in seen],
            "areas": [one and rle.area(one) for one in seen],
        }


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Writes a JSON file whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    begun = path.with_name(f".{path.name}.part")
    try:
        begun.write_text(json.dumps(document), "utf-8")
        os.replace(begun, path)  # noqa: PTH105 - says that what was there is replaced
    finally:
        begun.unlink(missing_ok=True)


def _box(lengths: rle.Rle) -> list[float] | None:
    """Left, top, width and height."""
    box = rle.box(lengths)
    return None if box is None else [box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0]
