"""Examples of the client's API that are only type-checked: `make types`."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, assert_type

import grpc
import grpc.aio
import numpy as np
import numpy.typing as npt

import seem_client
from seem_client import (
    AsyncClient,
    AsyncSession,
    AsyncVideo,
    Box,
    Hypothesis,
    Lasso,
    ModelCard,
    Polygon,
    Prediction,
    Predictions,
    Rle,
    Session,
    Timings,
    TrackedFrame,
    Video,
    exports,
)
from seem_client.channel import reach_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image


def wait_for_answers(pixels: npt.NDArray[np.uint8], rough: npt.NDArray[np.bool_]) -> None:
    with seem_client.connect("localhost:50051", timeout_s=5, retry_s=0) as client:
        assert_type(client.model(), ModelCard)
        assert_type(client.segment("photo.jpg", points=[(1, 2, True)]), Prediction)
        assert_type(client.segment("photo.jpg", example=("other.jpg", rough)), Prediction)
        assert_type(client.everything("photo.jpg", threshold=0.5), Predictions)
        with client.open(pixels) as session:
            assert_type(session.click(1, 2), Prediction)
            assert_type(session.click(1, 2, positive=False, object_id=2), Prediction)
            assert_type(session.click(1, 2, hypotheses=True).hypotheses[1], Hypothesis)
            assert_type(session.choose(1), Prediction)
            assert_type(session.choose(1, object_id=2), Prediction)
            assert_type(session.box(1, 2, 3, 4), Prediction)
            assert_type(session.box(1, 2, 3, 4, positive=False), Prediction)
            assert_type(session.lasso([(1, 2), (3, 4), (1, 4)], positive=False), Prediction)
            outline = Lasso(((1, 2), (3, 4), (1, 4)))
            assert_type(
                session.prompt(negative_boxes=[(1, 2, 3, 4)], lassos=[outline], hypotheses=True),
                Prediction,
            )
            assert_type(session.scribble([(1, 2), (3, 4)]), Prediction)
            assert_type(session.mask(rough), Prediction)
            assert_type(session.text("zebra"), Prediction)
            assert_type(session.prompt(object_id=2, box=(1, 2, 3, 4), text="zebra"), Prediction)
            assert_type(session.submit_click(1, 2), Future[Prediction])
            assert_type(session.example("other.jpg", rough), Prediction)
            assert_type(session.prompt(box=(1, 2, 3, 4), example=(pixels, rough)), Prediction)
            assert_type(session.everything(["cat"], kind="instance"), Predictions)
            assert_type(session.undo(), Prediction | None)
            assert_type(session.redo(object_id=2), Prediction | None)
            session.clear()
            session.remove(2)
            assert_type(session.predictions, dict[int, Prediction])
            assert_type(session.id, str)


def give_any_image(
    grey: npt.NDArray[np.uint8], deep: npt.NDArray[np.uint16], file: BinaryIO, drawn: Image.Image
) -> None:
    with seem_client.connect() as client:
        for image in (grey, deep, file, drawn, b"bytes", Path("photo.jpg")):
            client.open(image).close()


def take_over(session_id: str) -> None:
    with seem_client.connect() as client, client.attach(session_id) as session:
        assert_type(session, Session)
        if isinstance(session, Video):
            assert_type(session, Video)
            for tracked in session.propagate():
                assert_type(tracked, TrackedFrame)


def speak_the_wire(channel: grpc.aio.Channel) -> None:
    reach = reach_of("localhost:50051", token=None, tls=None, client_cert=None)
    assert_type(reach.address, str)
    assert_type(reach.channel(), grpc.Channel)
    reach.showing_token(channel)


def follow(live: Iterator[bytes], rough: npt.NDArray[np.bool_]) -> None:
    with seem_client.connect("localhost:50051") as client:
        with client.track("clip.mp4") as video:
            assert_type(video, Video)
            assert_type(video.click(1, 2, frame=0), Prediction)
            assert_type(video.mask(rough, frame=3, object_id=2), Prediction)
            assert_type(video.n_frames, int | None)
            for tracked in video.propagate(0, 10, direction="both"):
                assert_type(tracked, TrackedFrame)
                assert_type(tracked.index, int)
                assert_type(tracked.predictions[1], Prediction)
                assert_type(tracked.overlay(), npt.NDArray[np.uint8])
        client.track(Path("folder"))
        client.track(live)
        client.track(np.zeros((2, 4, 4, 3), np.uint8), session_id="as told by Video.id")


def show_and_export(found: Predictions, photo: npt.NDArray[np.uint8]) -> None:
    assert_type(found[0].overlay(), npt.NDArray[np.uint8])
    assert_type(found.overlay(photo), npt.NDArray[np.uint8])
    exports.coco_instances([exports.Annotated("photo.jpg", found)], polygons=True)
    exports.coco_video([TrackedFrame(0, {1: found[0]})], ["00000"])
    exports.to_supervision(found, classes=["cat"], tracked=True)
    exports.to_fiftyone(found)


async def await_frames() -> None:
    async with seem_client.connect_async() as client, client.track(["1.png", "2.png"]) as video:
        assert_type(video, AsyncVideo)
        assert_type(await video.click(1, 2, frame=0), Prediction)
        async for tracked in video.propagate(direction="backward"):
            assert_type(tracked, TrackedFrame)


def reach_others(token: str) -> None:
    ca = Path("ca.pem")
    seem_client.connect("seem.example.org:443", token=token, tls=True)
    seem_client.connect("seem.example.org:443", tls=ca, client_cert=("me.pem", Path("me.key")))
    seem_client.connect_async("seem.example.org:443", token=token, tls="ca.pem")


async def await_answers(image: bytes) -> None:
    async with seem_client.connect_async("localhost:50051") as client:
        assert_type(client, AsyncClient)
        assert_type(await client.model(), ModelCard)
        assert_type(await client.segment(image, box=Box(1, 2, 3, 4)), Prediction)
        assert_type(await client.everything(image), Predictions)
        async with client.open(image) as session:
            assert_type(session, AsyncSession)
            assert_type(await session.click(1, 2), Prediction)
            assert_type(session.submit_click(1, 2), asyncio.Future[Prediction])
            assert_type(await session.lasso([(1, 2), (3, 4), (1, 4)]), Prediction)
            assert_type(await session.choose(0), Prediction)
            assert_type(await session.everything(), Predictions)
            assert_type(await session.undo(), Prediction | None)
            await session.clear()


def read_a_prediction(prediction: Prediction) -> None:
    assert_type(prediction.mask, npt.NDArray[np.bool_])
    assert_type(prediction.score, float)
    assert_type(prediction.label, str | None)
    assert_type(prediction.is_thing, bool | None)
    assert_type(prediction.presence, float | None)
    assert_type(prediction.is_present, bool)
    assert_type(prediction.hypotheses, tuple[Hypothesis, ...])
    assert_type(prediction.box, Box | None)
    assert_type(prediction.rle, Rle)
    assert_type(prediction.polygons, tuple[Polygon, ...])
    assert_type(prediction.timings, Timings)
    assert_type(prediction.object_id, int)


def read_a_hypothesis(one: Hypothesis) -> None:
    assert_type(one.mask, npt.NDArray[np.bool_])
    assert_type(one.score, float)
    assert_type(one.box, Box | None)
    assert_type(one.area, int)
    assert_type(one.rle, Rle)
