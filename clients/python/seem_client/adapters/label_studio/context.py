"""What a person did with smart tools, as Label Studio tells it, and as the SDK takes it.

Positions are in percent of the picture. Whether a region is positive stands beside its value
(`is_positive`, 1 or 0) or within it (`value.positive`); without either it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from seem_client.adapters.label_studio import brush
from seem_wire.errors import CoordinateNotFinite, InvalidValue, MaskSizeMismatch, PromptEmpty

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    import numpy.typing as npt

    Region = Mapping[str, object]
    Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """A click."""

    x: float
    y: float
    positive: bool


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle around the object, or around what no part of it lies in."""

    x: float
    y: float
    width: float
    height: float
    positive: bool


@dataclass(frozen=True, slots=True)
class Brush:
    """A rough mask, of (height, width) `size`; `packed` as in `brush`."""

    packed: bytes
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Words:
    """What the object is called."""

    text: str


Said = KeyPoint | Rectangle | Brush | Words


class Prompt(TypedDict):
    """What `Session.prompt` is called with."""

    points: list[tuple[float, float, bool]]
    box: Corners | None
    negative_boxes: list[Corners]
    mask: npt.NDArray[np.bool_] | None
    text: str | None


def read(context: Mapping[str, object]) -> tuple[Said, ...]:
    """All that was said about one object, in order.

    Raises:
        InvalidValue: It is not what Label Studio sends.
        PromptEmpty: Nothing in it says anything to Seem.
    """
    said = tuple(one for region in regions(context) if (one := _said(region)) is not None)
    if not said:
        raise PromptEmpty("Nothing was said with the smart keypoint, rectangle, brush or text.")
    return said


def regions(context: Mapping[str, object]) -> list[Region]:
    """The regions of a context; none where it has no result."""
    result = context.get("result") or []
    if not isinstance(result, list) or not all(isinstance(one, dict) for one in result):
        raise InvalidValue("The context's result must be a list of regions.")
    return result


def label(context: Mapping[str, object]) -> str | None:
    """The label of the smart tool that was used last, where it has one."""
    for region in reversed(regions(context)):
        value = _value(region)
        for name in (str(region.get("type")), "labels"):
            labels = value.get(name)
            if isinstance(labels, list) and labels and isinstance(labels[0], str):
                return labels[0]
    return None


def prompt(said: Iterable[Said], size: tuple[int, int]) -> Prompt:
    """The same for `Session.prompt`, in pixels of a picture of (height, width) `size`.

    Of several rectangles, brushes or texts the last is meant.

    Raises:
        MaskSizeMismatch: A brush is not of the picture's size.
        MaskUnreadable: A brush cannot be read.
    """
    height, width = size
    meant = Prompt(points=[], box=None, negative_boxes=[], mask=None, text=None)
    for one in said:
        match one:
            case KeyPoint(x, y, positive):
                point = _within(x * width / 100, width), _within(y * height / 100, height)
                meant["points"].append((*point, positive))
            case Rectangle(positive=True):
                meant["box"] = _corners(one, size)
            case Rectangle():
                meant["negative_boxes"].append(_corners(one, size))
            case Brush(packed, of_size):
                _check_size(of_size, size)
                meant["mask"] = brush.decode(packed, size)
            case Words(text):
                meant["text"] = text
    return meant


def _said(region: Region) -> Said | None:
    value = _value(region)
    kind = str(region.get("type", "")).lower()
    if kind.startswith("keypoint"):
        return KeyPoint(_number(value, "x"), _number(value, "y"), _is_positive(region, value))
    if kind.startswith("rectangle"):
        x, y, width, height = (_number(value, name) for name in ("x", "y", "width", "height"))
        return Rectangle(x, y, width, height, _is_positive(region, value))
    if kind.startswith("brush") and isinstance(value.get("rle"), list):
        return Brush(_bytes(value["rle"]), _size(region))
    if kind == "textarea":
        return _words(value.get("text"))
    return None


def _words(text: object) -> Words | None:
    """A text area holds a list of texts; the last was sent last."""
    texts = text if isinstance(text, list) else [text]
    written = [one.strip() for one in texts if isinstance(one, str) and one.strip()]
    return Words(written[-1]) if written else None


def _value(region: Region) -> Mapping[str, object]:
    value = region.get("value")
    return value if isinstance(value, dict) else {}


def _is_positive(region: Region, value: Mapping[str, object]) -> bool:
    """Both spellings are taken: the editor's own, and that of its video tools."""
    said = (region.get("is_positive"), value.get("positive"))
    return all(bool(one) for one in said if one is not None)


def _number(value: Mapping[str, object], name: str) -> float:
    number = value.get(name)
    if not isinstance(number, int | float):
        raise InvalidValue(f"The region's {name} is {number!r}, and no number.")
    if not math.isfinite(number):
        raise CoordinateNotFinite(f"The region's {name} is {number}.")
    return float(number)


def _bytes(packed: object) -> bytes:
    try:
        return bytes(packed)  # type: ignore[call-overload, no-any-return] # what else, it tells
    except (TypeError, ValueError) as error:
        raise InvalidValue("A brush's run lengths are a list of bytes, 0 to 255.") from error


def _size(region: Region) -> tuple[int, int]:
    height, width = region.get("original_height"), region.get("original_width")
    if not (isinstance(height, int) and isinstance(width, int)):
        raise InvalidValue("A brush does not tell its original_height and original_width.")
    return height, width


def _check_size(of_brush: tuple[int, int], of_picture: tuple[int, int]) -> None:
    if of_brush != of_picture:
        raise MaskSizeMismatch(
            f"The brush is of {of_brush[0]} x {of_brush[1]} pixels, the image of "
            f"{of_picture[0]} x {of_picture[1]} (height x width)."
        )


def _corners(one: Rectangle, size: tuple[int, int]) -> Corners:
    height, width = size
    x0, x1 = sorted((one.x, one.x + one.width))
    y0, y1 = sorted((one.y, one.y + one.height))
    return (
        min(max(x0, 0.0), 100.0) * width / 100,
        min(max(y0, 0.0), 100.0) * height / 100,
        min(max(x1, 0.0), 100.0) * width / 100,
        min(max(y1, 0.0), 100.0) * height / 100,
    )


def _within(place: float, extent: int) -> float:
    """On a pixel: a click on the very edge, or a little past it, means the one there."""
    return min(max(place, 0.5), extent - 0.5)
