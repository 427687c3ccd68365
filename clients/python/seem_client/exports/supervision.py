"""Predictions as `supervision.Detections`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seem_client.exports.naming import name_of, numbered
from seem_wire.errors import LibraryMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from supervision import Detections

    from seem_client.prediction import Prediction


def to_supervision(
    predictions: Iterable[Prediction],
    *,
    classes: Sequence[str] | None = None,
    tracked: bool = False,
) -> Detections:
    """Objects of one image as supervision has them: boxes, masks, scores, class ids and names.

    `classes`: what the class ids count, from 0; None for the names that come, in their order, which
    differ from image to image. `tracked`: object ids are the tracker's ids, as in a video. An
    object that is not to be seen is left out.

    Raises:
        LibraryMissing: supervision is not installed.
        InvalidValue: There is a name that is not among `classes`.
    """
    try:
        from supervision import Detections  # noqa: PLC0415 - an application's own choice
    except ImportError as error:
        raise LibraryMissing("This needs supervision: pip install supervision.") from error
    seen = [(one, one.box) for one in predictions if one.box is not None]
    class_ids = numbered((one for one, _ in seen), classes, 0)
    if not seen:
        return Detections.empty()
    names = [name_of(one) for one, _ in seen]
    return Detections(
        xyxy=np.array([(box.x0, box.y0, box.x1, box.y1) for _, box in seen], np.float32),
        mask=np.stack([one.mask for one, _ in seen]),
        confidence=np.array([one.score for one, _ in seen], np.float32),
        class_id=np.array([class_ids[name] for name in names]),
        tracker_id=np.array([one.object_id for one, _ in seen]) if tracked else None,
        data={"class_name": np.array(names)},
    )
