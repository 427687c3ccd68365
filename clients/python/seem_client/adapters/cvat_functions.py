"""CVAT's native functions, for its own agent: a module for `cvat-cli --function-module`.

    cvat-cli function create-native Seem --function-module seem_client.adapters.cvat_functions \
        -p kind=str:interaction -p server=str:localhost:50051

The agent shows a person only what it trusts: of what a function raises, BadFunctionError alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cvat_sdk.auto_annotation as cvataa
from cvat_sdk import models

import seem_client
from seem_client.adapters.cvat_shapes import (
    SHAPE_TYPES,
    mask_points,
    polygon_points,
    read_shape,
    shape_points,
)
from seem_client.adapters.interaction import Interaction, Said
from seem_client.adapters.link import RECONNECT_S, Link
from seem_client.adapters.loop_thread import LoopThread
from seem_client.adapters.tracking import Tracking
from seem_client.image import image_bytes
from seem_wire.errors import SeemError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seem_client.image import ImageLike
    from seem_client.prediction import Prediction

    Points = Sequence[tuple[float, float]]

N_VIDEOS = 128
"""An agent begins each object by itself, and may follow many of one task at once."""


class _Prompts(Protocol):
    """`cvat_sdk.auto_annotation.InteractionPrompts`, whose package has no types."""

    @property
    def pos_points(self) -> Points: ...
    @property
    def neg_points(self) -> Points: ...
    @property
    def bounding_box(self) -> tuple[tuple[float, float], tuple[float, float]] | None: ...


class _Shape(Protocol):
    """`TrackableShape`, as far as it is read."""

    @property
    def type(self) -> str: ...
    @property
    def points(self) -> list[float]: ...


class _ShapeContext(Protocol):
    """`TrackingFunctionShapeContext`."""

    @property
    def original_shape_type(self) -> str: ...


class _DetectionContext(Protocol):
    """`DetectionFunctionContext`, as far as it is read."""

    @property
    def conf_threshold(self) -> float | None: ...
    @property
    def conv_mask_to_poly(self) -> bool: ...


def create(
    kind: str,
    server: str = "localhost:50051",
    token_file: str = "",
    tls: bool = False,  # noqa: FBT001, FBT002 - the agent gives `-p tls=bool:true` by its name
    tls_ca: str = "",
    vocabulary: str = "",
) -> InteractionFunction | TrackingFunction | DetectionFunction:
    """The function of a kind, "interaction", "tracking" or "detection", for the agent.

    Only detection asks the server at once, for the names that it knows; not with a `vocabulary`,
    which is names with commas between them.

    Raises:
        BadFunctionError: There is no such kind, or no server that tells its names.
        OSError: A file can't be read.
    """
    token = Path(token_file).read_text("utf-8").strip() if token_file else None
    link = Link(
        lambda: seem_client.connect_async(
            server, token=token, tls=tls_ca or tls, reconnect_s=RECONNECT_S
        )
    )
    names = tuple(filter(None, map(str.strip, vocabulary.split(","))))
    match kind:
        case "interaction":
            return InteractionFunction(link)
        case "tracking":
            return TrackingFunction(link)
        case "detection":
            return DetectionFunction(link, names)
        case _:
            raise cvataa.BadFunctionError(
                f"There is no {kind!r} here: kind is interaction, tracking or detection."
            )


class InteractionFunction:
    """Clicks and boxes give a mask."""

    spec = cvataa.InteractionFunctionSpec(min_pos_points=0, min_neg_points=0, min_bounding_boxes=0)

    def __init__(self, link: Link) -> None:
        self._loop, self._interaction = LoopThread(), Interaction(link)

    def preprocess_image(self, _: object, image: ImageLike) -> bytes:
        """The image as a file, which `detect` sends once."""
        return image_bytes(image)

    def detect(self, _: object, pp_image: bytes, prompts: _Prompts) -> list[object]:
        """The mask that is meant, with how sure the model is of it; nothing where it is empty."""
        box = None
        if prompts.bounding_box is not None:
            (x0, y0), (x1, y1) = prompts.bounding_box
            box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        said = Said(_pairs(prompts.pos_points), _pairs(prompts.neg_points), box)
        with _in_a_sentence():
            found = self._loop.run(self._interaction.mask(pp_image, said))
        if not found.area:
            return []
        confidence = models.AttributeValRequest(
            spec_id=cvataa.InteractionResultAttributes.CONFIDENCE.value, value=f"{found.score:.4f}"
        )
        points = map(float, mask_points(found.mask))
        shape = cvataa.InteractionResultShape(type="mask", points=points, attributes=[confidence])
        return [shape]


class TrackingFunction:
    """Masks, polygons and rectangles are followed from frame to frame."""

    spec = cvataa.TrackingFunctionSpec(supported_shape_types=SHAPE_TYPES)

    def __init__(self, link: Link) -> None:
        self._loop, self._tracking = LoopThread(), Tracking(link, n_videos=N_VIDEOS)

    def preprocess_image(self, _: object, image: ImageLike) -> bytes:
        """The image as a file."""
        return image_bytes(image)

    def init_tracking_state(self, _: object, pp_image: bytes, shape: _Shape) -> str:
        """Begins to follow a shape; the state is a name, what it names is on the server."""
        draw = partial(read_shape, shape.type, shape.points)
        with _in_a_sentence():
            (state,) = self._loop.run(self._tracking.begin(pp_image, [draw]))
        return state

    def track(self, context: _ShapeContext, pp_image: bytes, state: str) -> object | None:
        """Where it is in the next image; None where it is not to be seen."""
        with _in_a_sentence():
            (found,) = self._loop.run(self._tracking.follow(pp_image, [state]))
        kind = context.original_shape_type
        points = shape_points(found.mask, kind)
        return None if points is None else cvataa.TrackableShape(type=kind, points=points)


class DetectionFunction:
    """All that there is a name for, as masks, or as polygons where those are asked for."""

    def __init__(self, link: Link, names: tuple[str, ...] = ()) -> None:
        self._loop, self._link, self._vocabulary = LoopThread(), link, names or None
        if not names:
            with _in_a_sentence():
                names = self._loop.run(self._known_names())
        self._ids = {name: number for number, name in enumerate(names)}
        self.spec = cvataa.DetectionFunctionSpec(
            labels=[
                cvataa.label_spec(name, number, type="mask") for name, number in self._ids.items()
            ]
        )

    def detect(self, context: _DetectionContext, image: ImageLike) -> list[object]:
        """What is in the image."""
        with _in_a_sentence():
            found = self._loop.run(self._everything(image, context.conf_threshold))
        named = [
            (self._ids[one.label], one) for one in found if one.area and one.label in self._ids
        ]
        if context.conv_mask_to_poly:
            return [cvataa.polygon(label, polygon_points(one.mask)) for label, one in named]
        return [cvataa.mask(label, list(map(float, mask_points(one.mask)))) for label, one in named]

    async def _known_names(self) -> tuple[str, ...]:
        return (await (await self._link.client()).model()).vocabulary

    async def _everything(self, image: ImageLike, threshold: float | None) -> list[Prediction]:
        client = await self._link.client()
        return await client.everything(image, self._vocabulary, threshold=threshold)


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    """What the server refuses, as what the agent passes on."""
    try:
        yield
    except SeemError as error:
        raise cvataa.BadFunctionError(str(error)) from None


def _pairs(points: Points) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points)
