"""Masks of a frame as one indexed PNG, as the DAVIS benchmarks have them: pixel = object id.

0 is background, 255 void: nobody says what is there. The palette is that of PASCAL VOC and DAVIS,
so that files look alike in every viewer. Where objects overlap, the lower id lies on top. A file
also holds what else was said of its frame, so that the folder is all that a run leaves behind.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from seem_wire.errors import ImageUnreadable, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.uint8]

VOID = 255
MAX_OBJECT_ID = 254
_SAID = "seem"
_INDEXED = frozenset({"P", "L", "1"})


@dataclass(frozen=True, slots=True, eq=False)
class IndexedFrame:
    """The objects of a frame.

    Attributes:
        indices: uint8 (H, W), the id of the object that each pixel shows.
        presence: How likely each object is there at all, where the model says so.
        took_ms: How long the frame took, where that was written down.
    """

    indices: Indices
    presence: Mapping[int, float | None] = field(default_factory=dict)
    took_ms: float | None = None

    @property
    def masks(self) -> dict[int, Mask]:
        """The objects that have a pixel, bool (H, W) each."""
        found = np.flatnonzero(np.bincount(self.indices.ravel(), minlength=VOID + 1))
        return {int(one): self.indices == one for one in found if 0 < one < VOID}


def stack(masks: Mapping[int, Mask], size: tuple[int, int]) -> Indices:
    """One index a pixel, uint8 (H, W) of `size`: of objects that overlap the lowest id.

    Raises:
        InvalidValue: An id is not within 1 to MAX_OBJECT_ID.
    """
    indices = np.zeros(size, np.uint8)
    for object_id in sorted(masks, reverse=True):
        if not 1 <= object_id <= MAX_OBJECT_ID:
            raise InvalidValue(
                f"Object {object_id} cannot be written: an indexed PNG has room for the ids "
                f"1 to {MAX_OBJECT_ID}."
            )
        indices[masks[object_id]] = object_id
    return indices


def write_frame(path: Path, frame: IndexedFrame) -> None:
    """Writes a frame's file whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    said = PngInfo()
    presence = {str(object_id): value for object_id, value in frame.presence.items()}
    said.add_text(_SAID, json.dumps({"presence": presence, "took_ms": frame.took_ms}))
    image = Image.fromarray(frame.indices).convert("P")
    image.putpalette(palette().tobytes())
    begun = path.with_name(f".{path.name}.part")
    try:
        image.save(begun, "PNG", pnginfo=said)
        os.replace(begun, path)  # noqa: PTH105 - says that what was there is replaced
    finally:
        begun.unlink(missing_ok=True)


def read_frame(path: Path) -> IndexedFrame:
    """A frame's file, whoever wrote it.

    Raises:
        ImageUnreadable: It is no indexed image.
        OSError: It is not there or cannot be read.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in _INDEXED:
                raise ImageUnreadable(
                    f"{path} is no indexed image, whose pixels are object ids: it has the mode "
                    f"{image.mode}."
                )
            indices = np.array(image, np.uint8)
            said = image.info.get(_SAID)
    except UnidentifiedImageError as error:
        raise ImageUnreadable(f"{path} is no image.") from error
    try:
        document = json.loads(said or "{}")
        presence = {int(object_id): value for object_id, value in document["presence"].items()}
        return IndexedFrame(indices, presence, document["took_ms"])
    except (ValueError, KeyError, TypeError, AttributeError):  # another program's file
        return IndexedFrame(indices)


def palette() -> npt.NDArray[np.uint8]:
    """The colours of the indices, uint8 (256, 3): their bits, spread over red, green and blue."""
    index = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for place in range(8):
        for channel in range(3):
            colours[:, channel] |= ((index >> channel & 1) << (7 - place)).astype(np.uint8)
        index >>= 3
    return colours
