"""CVAT's serverless functions: an HTTP server that CVAT takes for nuclio, with Seem behind it.

CVAT lists the functions at `GET /api/functions`, and calls one by `POST /api/function_invocations`
with its name in a header, or by `POST /` at the port that the list told. There it says no name, but
the three kinds of requests differ: an interactor is sent points, a tracker states and shapes.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from aiohttp import web

from seem_client.adapters.cvat_shapes import (
    SHAPE_TYPES,
    flat_mask,
    polygon_points,
    read_shape,
    shape_points,
)
from seem_client.adapters.http_site import json_object
from seem_client.adapters.interaction import Interaction, Said
from seem_client.adapters.refusals import refuse_in_a_sentence
from seem_client.adapters.tracking import Tracking
from seem_client.prediction import Prediction
from seem_wire.errors import ImageUnreadable, InvalidValue, SeemError, UnknownCommand

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    import numpy.typing as npt

    from seem_client.adapters.link import Link
    from seem_wire.types import ModelCard

    Fields = Mapping[str, Any]
    Draw = Callable[[tuple[int, int]], Any]

INTERACTOR, TRACKER, DETECTOR = "seem-interactor", "seem-tracker", "seem-detector"
MAX_BODY_BYTES = 128 * 1024**2
"""Base64 of the largest image that a server takes by default is a third of it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the adapter is told.

    Attributes:
        public_port: At which CVAT reaches it; None for the port at which it asks for the list.
        vocabulary: What the detector looks for; None for the model's own names.
    """

    public_port: int | None = None
    vocabulary: tuple[str, ...] | None = None


def application(link: Link, arguments: argparse.Namespace) -> web.Application:
    """The HTTP application, for a server that `link` finds."""
    names = tuple(filter(None, map(str.strip, (arguments.vocabulary or "").split(","))))
    return make_application(link, Options(arguments.public_port, names or None))


def make_application(link: Link, options: Options) -> web.Application:
    """As `application`."""
    functions = _Functions(link, options)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[refuse_in_a_sentence])
    app.router.add_get("/api/functions", functions.all)
    app.router.add_get("/api/functions/{name}", functions.one)
    app.router.add_post("/api/function_invocations", functions.invoke_by_name)
    app.router.add_post("/", functions.invoke)

    async def closing(_: web.Application) -> AsyncIterator[None]:
        yield
        await functions.close()

    app.cleanup_ctx.append(closing)
    return app


class _Functions:
    """The functions, as nuclio has them."""

    def __init__(self, link: Link, options: Options) -> None:
        self._link, self._options = link, options
        self._interaction, self._tracking = Interaction(link), Tracking(link)
        self._card: ModelCard | None = None
        self._kinds: dict[str, Callable[[bytes, Fields], Awaitable[Any]]] = {
            INTERACTOR: self._interact,
            TRACKER: self._track,
            DETECTOR: self._detect,
        }

    async def close(self) -> None:
        await self._interaction.close()
        await self._tracking.close()

    async def all(self, request: web.Request) -> web.Response:
        return web.json_response(await self._listed(request))

    async def one(self, request: web.Request) -> web.Response:
        listed = await self._listed(request)
        name = request.match_info["name"]
        if name not in listed:
            raise _no_function(name)
        return web.json_response(listed[name])

    async def invoke_by_name(self, request: web.Request) -> web.Response:
        name = request.headers.get("x-nuclio-function-name", "")
        if name not in self._kinds:
            raise _no_function(name)
        return await self._invoke(name, await json_object(request))

    async def invoke(self, request: web.Request) -> web.Response:
        fields = await json_object(request)
        if "pos_points" in fields:
            return await self._invoke(INTERACTOR, fields)
        tracks = "states" in fields or "shapes" in fields
        return await self._invoke(TRACKER if tracks else DETECTOR, fields)

    async def _invoke(self, name: str, fields: Fields) -> web.Response:
        image = await asyncio.to_thread(_image, fields.get("image"))
        answer = await self._kinds[name](image, fields)
        body = await asyncio.to_thread(_written, answer)
        return web.Response(body=body, content_type="application/json")

    async def _listed(self, request: web.Request) -> dict[str, Any]:
        """All functions by name; as they were when the server was there last, if it is not now."""
        state = "ready"
        try:
            self._card = await (await self._link.client()).model()
        except SeemError:
            state = "unhealthy"
        annotations = {INTERACTOR: _interactor(), TRACKER: _tracker()}
        if self._card is not None:
            commands = self._card.capabilities.commands
            if "propagate" not in commands:
                del annotations[TRACKER]
            names = self._options.vocabulary or self._card.vocabulary
            if names and "everything" in commands:
                annotations[DETECTOR] = _detector(names)
        model = "Seem" if self._card is None else self._card.name
        port = self._options.public_port or _port(request)
        return {
            name: {
                "metadata": {"name": name, "annotations": about | {"framework": "onnx"}},
                "spec": {"description": f"{about['help_message']} Model: {model}."},
                "status": {"state": state, "httpPort": port},
            }
            for name, about in annotations.items()
        }

    async def _interact(self, image: bytes, fields: Fields) -> object:
        said = Said(
            _places(fields.get("pos_points")),
            _places(fields.get("neg_points")),
            _box(fields.get("obj_bbox")),
        )
        return await self._interaction.mask(image, said)

    async def _track(self, image: bytes, fields: Fields) -> object:
        states, shapes = fields.get("states") or [], fields.get("shapes") or []
        if not isinstance(states, list) or not isinstance(shapes, list):
            raise InvalidValue("Shapes and states of a tracker are lists.")
        if not states:
            states = await self._begin(image, shapes)
            return {"shapes": shapes, "states": states}
        found = await self._tracking.follow(image, [_read_state(one).token for one in states])
        drawn = [
            await asyncio.to_thread(_drawn, one, _read_state(state))
            for one, state in zip(found, states, strict=True)
        ]
        return {"shapes": drawn, "states": states}

    async def _begin(self, image: bytes, shapes: Sequence[object]) -> list[str]:
        read = [_read_tracked(shape) for shape in shapes]
        tokens = await self._tracking.begin(image, [draw for _, draw in read])
        return [f"{token}.{kind}" for token, (kind, _) in zip(tokens, read, strict=True)]

    async def _detect(self, image: bytes, fields: Fields) -> object:
        threshold = fields.get("threshold")
        client = await self._link.client()
        found = await client.everything(
            image,
            self._options.vocabulary,
            threshold=None if threshold is None else _number(threshold),
        )
        return await asyncio.to_thread(lambda: [_detected(one) for one in found if one.area])


@dataclass(frozen=True, slots=True)
class _State:
    """What CVAT keeps of an object that is followed: how its shape is written, and which it is."""

    token: str
    kind: str


_CORNERS = "corners"
"""A rectangle as older CVAT writes it: four numbers, and no word of what they are."""


def _interactor() -> dict[str, str]:
    return {
        "name": "Seem",
        "type": "interactor",
        "version": "2",
        "min_pos_points": "1",
        "min_neg_points": "0",
        "startswith_box_optional": "true",
        "help_message": "Click on an object, or draw a box around it; more clicks correct it.",
    }


def _tracker() -> dict[str, str]:
    return {
        "name": "Seem tracker",
        "type": "tracker",
        "supported_shape_types": ",".join(SHAPE_TYPES),
        "help_message": "Follows an object from frame to frame.",
    }


def _detector(names: Sequence[str]) -> dict[str, str]:
    labels = [{"id": number, "name": name, "type": "mask"} for number, name in enumerate(names)]
    return {
        "name": "Seem everything",
        "type": "detector",
        "spec": json.dumps(labels),
        "help_message": "Finds all that it has a name for.",
    }


def _port(request: web.Request) -> int:
    """The port that the request came to."""
    sockname = request.transport.get_extra_info("sockname") if request.transport else None
    return int(sockname[1]) if sockname else 0


def _image(text: object) -> bytes:
    if not isinstance(text, str) or not text:
        raise InvalidValue("The request has no image.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ImageUnreadable("The request's image is not in base64.") from None


def _places(points: object) -> tuple[tuple[float, float], ...]:
    try:
        return tuple((float(x), float(y)) for x, y in points or ())  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise InvalidValue("Points are lists of two numbers.") from None


def _box(corners: object) -> tuple[float, float, float, float] | None:
    """A box as two corners, or flat; older CVAT sends an empty list for none."""
    if not corners:
        return None
    flat = isinstance(corners, list) and len(corners) == 4  # noqa: PLR2004
    pairs = [corners[:2], corners[2:]] if flat and isinstance(corners, list) else corners
    places = _places(pairs)
    if len(places) != 2:  # noqa: PLR2004
        raise InvalidValue("A box has two corners.")
    (x0, y0), (x1, y1) = places
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InvalidValue(f"A threshold is a number, not {value!r}.") from None


def _read_tracked(shape: object) -> tuple[str, Draw]:
    """How a shape to be followed is written, and what draws it."""
    match shape:
        case {"type": str(kind), "points": list(points)} if kind in SHAPE_TYPES:
            return kind, partial(_draw, kind, points)
        case [_, _, _, _] as corners:
            return _CORNERS, partial(_draw, "rectangle", corners)
        case _:
            known = ", ".join(SHAPE_TYPES)
            raise InvalidValue(f"A shape to be followed has points, and a type out of {known}.")


def _draw(kind: str, points: Sequence[Any], size: tuple[int, int]) -> object:
    try:
        return read_shape(kind, points, size)
    except TypeError:
        raise InvalidValue("A shape's points are numbers.") from None


def _read_state(state: object) -> _State:
    token, _, kind = str(state).rpartition(".")
    return _State(token, kind)


def _drawn(found: Prediction, state: _State) -> object:
    if state.kind == _CORNERS:
        return shape_points(found.mask, "rectangle")
    points = shape_points(found.mask, state.kind)
    return None if points is None else {"type": state.kind, "points": points}


def _written(answer: object) -> bytes:
    """An answer as JSON; a prediction is an interactor's: its mask, row by row."""
    if isinstance(answer, Prediction):
        return b'{"mask":[' + _rows(answer.mask) + b"]}"
    return json.dumps(answer, separators=(",", ":")).encode()


def _rows(mask: npt.NDArray[np.bool_]) -> bytes:
    """`[0,1,…],[…],…`: a megapixel takes `json` forty milliseconds, and this one."""
    height, width = mask.shape
    text = np.full((height, 2 * width + 2), ord(","), np.uint8)
    text[:, 0] = ord("[")
    text[:, 1:-1:2] = mask.view(np.uint8) + ord("0")
    text[:, -2] = ord("]")
    return text.tobytes()[:-1]


def _detected(one: Prediction) -> dict[str, Any]:
    """With its polygon, which CVAT takes where masks are to become polygons."""
    return {
        "label": one.label or "",
        "type": "mask",
        "confidence": str(round(one.score, 4)),
        "mask": flat_mask(one.mask),
        "points": polygon_points(one.mask),
    }


def _no_function(name: str) -> UnknownCommand:
    known = f"{INTERACTOR}, {TRACKER}, {DETECTOR}"
    error = UnknownCommand(f"There is no function {name!r}: there are {known}.")
    error.hint = "Load CVAT's page again, so that it lists them anew."
    return error
