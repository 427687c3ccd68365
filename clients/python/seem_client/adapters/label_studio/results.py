"""Predictions as Label Studio's regions."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from seem_client.adapters.label_studio import brush

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_client.adapters.label_studio.label_config import LabelConfig
    from seem_client.prediction import Prediction

    Answer = dict[str, object]


def masks(
    prediction: Prediction | None, config: LabelConfig, label: str | None, model_version: str
) -> Answer:
    """A prediction of one region, or of none where nothing was found."""
    if prediction is None or not prediction.is_present:
        return {"result": [], "score": 0.0, "model_version": model_version}
    region = {
        "id": uuid4().hex[:10],
        "from_name": config.control,
        "to_name": config.picture,
        "type": config.kind,
        "original_width": prediction.rle.width,
        "original_height": prediction.rle.height,
        "image_rotation": 0,
        "readonly": False,
        "score": prediction.score,
        "value": _value(prediction.mask, config, label),
    }
    return {"result": [region], "score": prediction.score, "model_version": model_version}


def event(told: tuple[str, Answer] | None, config: LabelConfig, model_version: str) -> Answer:
    """The answer to an event, which is told as a region of a kind of its own."""
    if told is None:
        return {"result": [], "score": 0.0, "model_version": model_version}
    kind, value = told
    region = {
        "id": uuid4().hex[:10],
        "from_name": config.control,
        "to_name": config.picture,
        "type": kind,
        "origin": "manual",
        "value": value,
    }
    return {"result": [region], "score": 0.0, "model_version": model_version}


def bitmask(mask: npt.NDArray[np.bool_]) -> Answer:
    """The value of a bitmask region; the editor takes a pixel as marked where it is not clear."""
    height, width = mask.shape
    address = "data:image/png;base64," + base64.b64encode(_png(mask)).decode("ascii")
    return {"imageDataURL": address, "width": width, "height": height}


def _value(mask: npt.NDArray[np.bool_], config: LabelConfig, label: str | None) -> Answer:
    value: Answer = (
        bitmask(mask) if config.is_bitmask else {"format": "rle", "rle": brush.encode(mask)}
    )
    given = config.label_for(label)
    return value if given is None else value | {config.kind: [given]}


def _png(mask: npt.NDArray[np.bool_]) -> bytes:
    """A PNG file of one bit a pixel and two colours: clear, and white."""
    height, width = mask.shape
    rows = np.pad(np.packbits(mask, axis=1), ((0, 0), (1, 0)))  # no filter: a zero before each row
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)),
        (b"PLTE", bytes((0, 0, 0, 255, 255, 255))),
        (b"tRNS", bytes((0, 255))),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
