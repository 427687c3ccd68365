"""The client of a Seem server: an image, a click, the right mask.

    with seem_client.connect("localhost:50051") as client:
        with client.open("photo.jpg") as session:
            prediction = session.click(320, 240)
            prediction.mask  # bool (H, W)

Coordinates are pixels of the original, upright image: (x, y) floats, the centre of the first pixel
is (0.5, 0.5). Sizes are (height, width). What the server or the client refuses is one of
`seem_client.errors`; a file that cannot be read is an OSError.

`connect` gives a client for any number of threads, `connect_async` the same, awaited, for one event
loop. A lost server is looked for again (`reconnect_s`), and every call has an end (`timeout_s`).
"""

from seem_client._following import Direction, TrackedFrame
from seem_client.async_client import AsyncClient, connect_async
from seem_client.async_session import AsyncSession
from seem_client.async_video import AsyncVideo
from seem_client.client import Client, connect
from seem_client.frames import FramesLike
from seem_client.image import ImageLike
from seem_client.outline import Polygon
from seem_client.prediction import Hypothesis, Prediction, Predictions
from seem_client.session import Session
from seem_client.video import Video
from seem_wire import errors
from seem_wire.prompts import Box, Lasso, Point, Scribble
from seem_wire.rle import Rle
from seem_wire.types import ModelCard, Timings

__all__ = [
    "AsyncClient",
    "AsyncSession",
    "AsyncVideo",
    "Box",
    "Client",
    "Direction",
    "FramesLike",
    "Hypothesis",
    "ImageLike",
    "Lasso",
    "ModelCard",
    "Point",
    "Polygon",
    "Prediction",
    "Predictions",
    "Rle",
    "Scribble",
    "Session",
    "Timings",
    "TrackedFrame",
    "Video",
    "connect",
    "connect_async",
    "errors",
]
