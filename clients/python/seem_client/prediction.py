"""What the server said about one object, as a program wants to have it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from seem_client.image import image_pixels
from seem_client.notebook import as_html
from seem_client.outline import Polygon, polygons
from seem_client.overlay import overlaid
from seem_wire import rle
from seem_wire.errors import InvalidValue, MaskSizeMismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from seem_client.image import ImageLike
    from seem_client.picture import Picture
    from seem_wire.prompts import Box
    from seem_wire.types import Masks, ObjectMask, Segmented, Segments, Timings


@dataclass(frozen=True, eq=False)  # no slots: `mask` is worked out once, when asked
class Hypothesis:
    """One of the things that a prompt may have meant: a part, the whole, or a group perhaps.

    Attributes:
        rle: The mask as COCO run lengths, at the original image's size.
        score: The model's own estimate of the mask's IoU, 0 to 1, if this is what was meant.
        box: Around the mask, pixel edges; None where the mask is empty.
        area: Pixels in the mask.
    """

    rle: rle.Rle
    score: float
    box: Box | None
    area: int

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """The mask, bool (H, W) of the original image; read-only, copy it to draw in it."""
        return _read_only(self.rle)

    def __repr__(self) -> str:
        return f"<Hypothesis: score {self.score:.2f}, {self.area} pixels>"


@dataclass(frozen=True, eq=False)  # no slots: `mask` and `polygons` are worked out once, when asked
class Prediction:
    """An object's mask and what the model thinks of it.

    Attributes:
        object_id: Which object of the session it is; where everything was asked for, its place in
            the list, from 1.
        rle: The mask as COCO run lengths, at the original image's size.
        score: The model's own estimate of the mask's IoU, 0 to 1.
        label: The model's name for the object, where it has names.
        label_probability: How sure it is of the name, 0 to 1.
        box: Around the mask, pixel edges; None where the mask is empty.
        area: Pixels in the mask.
        round: How many predictions this object has had, 1 for the first.
        timings: Where the time went on the server, in milliseconds.
        cache_hit: The image needed no encoding.
        model_id: Equal ids give equal masks.
        is_thing: Whether the name is of things that can be counted and not of stuff like grass;
            None where nobody knows.
        presence: How likely the object is in the image at all, 0 to 1; None where the model doesn't
            say.
        hypotheses: What the prompt may have meant, this mask first and then the most likely first;
            empty where the prompt didn't ask.
        picture: What the mask is of, where it is at hand; not kept in copies and pickles.
    """

    object_id: int
    rle: rle.Rle
    score: float
    label: str | None
    label_probability: float | None
    box: Box | None
    area: int
    round: int
    timings: Timings
    cache_hit: bool
    model_id: str
    is_thing: bool | None = None
    presence: float | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    picture: Picture | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        one: ObjectMask,
        reply: Masks | Segments | Segmented,
        picture: Picture | None = None,
    ) -> Prediction:
        """What `reply` says about one of its objects."""
        return cls(
            object_id=one.object_id,
            rle=one.rle,
            score=one.score,
            label=one.label,
            label_probability=one.label_probability,
            box=one.box,
            area=one.area,
            round=one.round,
            timings=reply.timings,
            cache_hit=reply.cache_hit,
            model_id=reply.model_id,
            is_thing=one.is_thing,
            presence=one.presence,
            hypotheses=tuple(
                Hypothesis(each.rle, each.score, each.box, each.area) for each in one.hypotheses
            ),
            picture=picture,
        )

    @property
    def is_present(self) -> bool:
        """Whether the object is in the image at all: whether its mask has a pixel.

        An object that was only named, or shown in another image, has none where the model finds it
        too unlikely to be there; `presence` then tells how unlikely.
        """
        return self.area > 0

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """The mask, bool (H, W) of the original image; read-only, copy it to draw in it."""
        return _read_only(self.rle)

    @cached_property
    def polygons(self) -> tuple[Polygon, ...]:
        """The mask's pieces as exact outlines with their holes, in pixels of the original image."""
        return polygons(self.mask)

    def overlay(self, image: ImageLike | None = None) -> npt.NDArray[np.uint8]:
        """The image with the mask tinted and outlined, uint8 (H, W, 3) RGB.

        `image`: what the mask is of; None for what it was asked about, as long as that is at hand.

        Raises:
            InvalidValue: No image is given, and none at hand.
            MaskSizeMismatch: The image is of another size than the mask.
            LibraryMissing: To read an image file needs Pillow. An array needs nothing.
            ImageUnreadable, OSError: The image cannot be read.
        """
        return _overlay([self], image)

    def _repr_html_(self) -> str:
        return as_html([self])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "picture": None}

    def __repr__(self) -> str:
        name = f" {self.label!r}" if self.label else ""
        return (
            f"<Prediction of object {self.object_id}{name}: round {self.round}, "
            f"score {self.score:.2f}, {self.area} pixels>"
        )


class Predictions(list[Prediction]):
    """Objects of one image: a list, which a notebook shows as one picture."""

    def overlay(self, image: ImageLike | None = None) -> npt.NDArray[np.uint8]:
        """The image with all masks, as `Prediction.overlay`; small ones lie on top.

        Raises:
            InvalidValue: Also where the list is empty and no image is given.
        """
        return _overlay(self, image)

    def _repr_html_(self) -> str:
        return as_html(self)


def _overlay(predictions: Sequence[Prediction], image: ImageLike | None) -> npt.NDArray[np.uint8]:
    if image is None:
        picture = predictions[0].picture if predictions else None
        image = None if picture is None else picture.image()
    if image is None:
        raise InvalidValue("What the mask is of is not at hand: give the image to draw on.")
    pixels = image_pixels(image)
    for one in predictions:
        if pixels.shape != (*one.rle.size, 3):
            raise MaskSizeMismatch(
                f"The image has the shape {pixels.shape}, and the mask the size {one.rle.size}."
            )
    return overlaid(pixels, [(one.object_id, one.mask) for one in predictions])


def _read_only(lengths: rle.Rle) -> npt.NDArray[np.bool_]:
    mask = rle.decode(lengths)
    mask.setflags(write=False)
    return mask
