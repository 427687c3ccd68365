"""Predictions as COCO's JSON documents: instances of images, and objects of a video.

images, videos   id, file_name(s), height, width
annotations      one an object; a video's have an entry a frame, as YouTube-VIS lays it out, null
                 where the object has no pixel or the frame was not looked at
categories       numbered from 1; a video has one, "object": nobody says what its objects are
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from seem_client.exports.naming import UNNAMED, name_of, numbered
from seem_wire import rle
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from seem_client._following import TrackedFrame
    from seem_client.prediction import Prediction
    from seem_wire.prompts import Box

CATEGORY = {"id": 1, "name": UNNAMED}


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """An image and what was found in it.

    `size`, (height, width), need only be given where nothing was found: masks know theirs.
    """

    file_name: str
    predictions: Sequence[Prediction]
    size: tuple[int, int] | None = None


def coco_instances(
    images: Iterable[Annotated],
    *,
    polygons: bool = False,
    categories: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The document of `instances_*.json`, to be written as JSON.

    Masks are compressed run lengths, which are exact. As `polygons` they lose their holes: COCO's
    have none; `area` stays the mask's. `categories`: their names, None for those that come, in
    their order. An object that is not to be seen is left out. An annotation also has its `score`.

    Raises:
        InvalidValue: There is a name that is not among `categories`, or an image's size is not
            known.
    """
    listed = list(images)
    found = (each for one in listed for each in one.predictions if each.is_present)
    numbers = numbered(found, categories, 1)
    annotation_ids = count(1)
    return {
        "images": [_image(image_id, one) for image_id, one in enumerate(listed, 1)],
        "annotations": [
            {
                "id": next(annotation_ids),
                "image_id": image_id,
                "category_id": numbers[name_of(each)],
                "segmentation": _outlines(each) if polygons else _lengths(each.rle),
                "bbox": _box(each.box),
                "area": each.area,
                "iscrowd": 0,
                "score": each.score,
            }
            for image_id, one in enumerate(listed, 1)
            for each in one.predictions
            if each.is_present
        ],
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }


def coco_video(frames: Iterable[TrackedFrame], names: Sequence[str]) -> dict[str, Any]:
    """The document of a video whose frames, all of them, have `names`; `frames` in any order.

    Raises:
        InvalidValue: No frame has an object, so that the size is not known, or a frame no name.
    """
    document = None
    for frame in frames:
        found = {number: one.rle for number, one in frame.predictions.items()}
        if not 0 <= frame.index < len(names):
            raise InvalidValue(f"Frame {frame.index} has no name: there are {len(names)}.")
        if found and document is None:
            document = VideoDocument(names, next(iter(found.values())).size)
        if document is not None:
            document.add(frame.index, found)
    if document is None:
        raise InvalidValue("There is no frame with an object.")
    return document.as_json()


class VideoDocument:
    """Takes frames in any order, and gives the document; holds run lengths, not masks."""

    def __init__(self, names: Sequence[str], size: tuple[int, int]) -> None:
        self._names, self._size = tuple(names), size
        self._found: dict[int, dict[int, rle.Rle]] = {}

    def add(self, place: int, masks: Mapping[int, rle.Rle]) -> None:
        """What a frame shows, by object id; `place` is its place among the names."""
        for object_id, mask in masks.items():
            seen = self._found.setdefault(object_id, {})
            if rle.area(mask):
                seen[place] = mask

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
            "segmentations": [one and _lengths(one) for one in seen],
            "bboxes": [one and _box(rle.box(one)) for one in seen],
            "areas": [one and rle.area(one) for one in seen],
        }


def _image(image_id: int, one: Annotated) -> dict[str, Any]:
    size = one.size or next((each.rle.size for each in one.predictions), None)
    if size is None:
        raise InvalidValue(f"Nothing was found in {one.file_name}: give its size, too.")
    height, width = size
    return {"id": image_id, "file_name": one.file_name, "height": height, "width": width}


def _lengths(mask: rle.Rle) -> dict[str, Any]:
    return {"size": list(mask.size), "counts": mask.counts}


def _outlines(prediction: Prediction) -> list[list[float]]:
    return [piece.outline.ravel().tolist() for piece in prediction.polygons]


def _box(box: Box | None) -> list[float] | None:
    """Left, top, width and height."""
    return None if box is None else [box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0]
