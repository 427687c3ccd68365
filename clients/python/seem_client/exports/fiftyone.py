"""Predictions as `fiftyone.Detections`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seem_client.exports.naming import name_of
from seem_wire.errors import LibraryMissing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fiftyone import Detections

    from seem_client.prediction import Prediction


def to_fiftyone(predictions: Iterable[Prediction]) -> Detections:
    """Objects of one image as FiftyOne has them, to be a field of a sample or frame.

    Boxes are (x, y, width, height) relative to the image's size, which a mask knows; masks are
    those of the box. `index` is the object's id. An object that is not to be seen is left out.

    Raises:
        LibraryMissing: FiftyOne is not installed.
    """
    try:
        from fiftyone import Detection, Detections  # noqa: PLC0415 - large, and starts a database
    except ImportError as error:
        raise LibraryMissing("This needs FiftyOne: pip install fiftyone.") from error
    found = []
    for one in predictions:
        if one.box is None:
            continue
        height, width = one.rle.size
        left, top, right, bottom = map(int, (one.box.x0, one.box.y0, one.box.x1, one.box.y1))
        place = (left / width, top / height, (right - left) / width, (bottom - top) / height)
        found.append(
            Detection(
                label=name_of(one),
                bounding_box=list(place),
                mask=one.mask[top:bottom, left:right],
                confidence=one.score,
                index=one.object_id,
            )
        )
    return Detections(detections=found)
