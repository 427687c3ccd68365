"""A benchmark of videos: `annotations.json` with images of a `video`, in order of `frame_index`.

Annotations of a video have a `track_id`, which tells its objects apart; a frame in which an object
is not marked is one without it. An object that the first frame has not cannot be said there, and is
left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seem_server.commands.stills import (
    FILE,
    UNREADABLE,
    DatasetInvalid,
    image_path,
    run_lengths,
    told,
)
from seem_wire import rle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A video with what is marked in it.

    Attributes:
        frames: Its images.
        size: (height, width) of all of them.
        objects: Each object's mask in each frame, None where it is absent, by an id from 1 on in
            order of `track_id`.
        ignored: What is left out of the score in each frame, None where it is nothing.
        n_late: How many objects the first frame has not.
    """

    name: str
    frames: tuple[Path, ...]
    size: tuple[int, int]
    objects: Mapping[int, tuple[rle.Rle | None, ...]]
    ignored: tuple[rle.Rle | None, ...]
    n_late: int = 0

    def wanted(self, object_id: int, index: int) -> Mask:
        """The object in a frame, bool (H, W); empty where it is absent."""
        found = self.objects[object_id][index]
        return np.zeros(self.size, np.bool_) if found is None else rle.decode(found)

    def void(self, index: int) -> Mask | None:
        """What is not scored in a frame, bool (H, W)."""
        found = self.ignored[index]
        return None if found is None else rle.decode(found)


def read_clips(folder: Path) -> tuple[Clip, ...]:
    """The videos that have an object in their first frame, in the file's order.

    Raises:
        DatasetInvalid: There is no `annotations.json`, it is not as described, or it has no video.
    """
    path = folder / FILE
    try:
        clips = _clips(folder, json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise DatasetInvalid(f"{folder} is no dataset: it has no {FILE}.") from None
    except UNREADABLE as error:
        raise DatasetInvalid(f"{path} cannot be used: {told(error)}.") from error
    clips = tuple(clip for clip in clips if clip.objects)
    if not clips:
        raise DatasetInvalid(f"{folder} has no video with an object in its first frame.")
    return clips


def _clips(folder: Path, document: Entry) -> tuple[Clip, ...]:
    images: dict[str, list[Entry]] = {}
    for image in document["images"]:
        if image.get("video") is not None:
            images.setdefault(str(image["video"]), []).append(image)
    marks: dict[int, list[Entry]] = {}
    for mark in document["annotations"]:
        marks.setdefault(mark["image_id"], []).append(mark)
    return tuple(
        _clip(folder, name, sorted(listed, key=lambda one: int(one["frame_index"])), marks)
        for name, listed in images.items()
    )


def _clip(
    folder: Path, name: str, images: Sequence[Entry], marks: Mapping[int, Sequence[Entry]]
) -> Clip:
    tracks: dict[int, list[rle.Rle | None]] = {}
    for place, image in enumerate(images):
        for mark in marks.get(image["id"], ()):
            if mark.get("iscrowd") or not mark.get("area", 1):
                continue
            track = tracks.setdefault(int(mark["track_id"]), [None] * len(images))
            if track[place] is not None:
                raise DatasetInvalid(f"{name} has track {mark['track_id']} twice in a frame")
            track[place] = _checked(mark["segmentation"], image)
    begun = [tracks[number] for number in sorted(tracks) if tracks[number][0] is not None]
    first = images[0]
    return Clip(
        name=name,
        frames=tuple(image_path(folder, image["file_name"]) for image in images),
        size=(int(first["height"]), int(first["width"])),
        objects={number: tuple(track) for number, track in enumerate(begun, 1)},
        ignored=tuple(
            _checked(image["ignore"], image) if image.get("ignore") else None for image in images
        ),
        n_late=len(tracks) - len(begun),
    )


def _checked(segmentation: Entry, image: Entry) -> rle.Rle:
    """The run lengths, of the size of the image that they are of."""
    found = run_lengths(segmentation)
    if found.size != (image["height"], image["width"]):
        raise DatasetInvalid(
            f"a mask in {image['file_name']} has {found.size[0]} x {found.size[1]} pixels "
            f"(height x width), not {image['height']} x {image['width']}"
        )
    return found
