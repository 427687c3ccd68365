"""Everything of a refined model, over a real server: an image is searched by clicks."""

from __future__ import annotations

import asyncio
import io

import numpy as np
from blobs import CROWD, N_CROWD, ROOM, BlobBackend, paint
from engine_words import Gate
from PIL import Image
from service_words import Talk, click, open_image, served, set_image, until

from seem_wire import rle, types
from seem_wire.types import SegmentKind


def photo_of(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PHOTO = photo_of(paint(*ROOM))


def told(reply):
    return sorted((one.label, one.is_thing) for one in reply.segments)


THINGS = [("cat", True), ("cat", True), ("cup", True), ("sofa", True)]
STUFF = [("grass", False), ("sky", False)]


async def test_one_search_answers_every_kind_of_question():
    backend = BlobBackend()
    async with served(backend) as (_, stub, _):
        talk = Talk(stub)
        await talk.ask(open_image(), set_image(data=PHOTO))
        panoptic = await talk.ask(types.Everything(3))
        assert told(panoptic) == sorted(THINGS + STUFF)
        instance = await talk.ask(types.Everything(4, types.Question(SegmentKind.INSTANCE)))
        assert told(instance) == THINGS
        semantic = await talk.ask(types.Everything(5, types.Question(SegmentKind.SEMANTIC)))
        assert told(semantic) == sorted([*set(THINGS), *STUFF])
        words = types.Question(vocabulary=("puma", "meadow"), threshold=0.5)
        assert {label for label, _ in told(await talk.ask(types.Everything(6, words)))} == {
            "puma",
            "meadow",
        }
        assert backend.n_decoded == 6
        assert (await talk.ask(click(7))).objects[0].area > 0
        again = await talk.ask(types.Everything(8))
        assert again.segments == panoptic.segments


async def test_panoptic_segments_do_not_overlap_and_leave_nothing_out():
    async with served(BlobBackend()) as (_, stub, _):
        talk = Talk(stub)
        await talk.ask(open_image(), set_image(data=photo_of(paint(*CROWD))))
        reply = await talk.ask(types.Everything(3))
        n_masks = np.sum([rle.decode(one.rle) for one in reply.segments], axis=0)
        assert n_masks.max() == 1
        assert n_masks.mean() > 0.99


async def test_clicks_overtake_a_search():
    gate = Gate()
    backend = BlobBackend(decode_s=1, wait=gate)
    async with served(backend) as (running, stub, _):
        talk = Talk(stub)
        await talk.ask(open_image(), set_image(data=photo_of(paint(*CROWD))))
        await until(lambda: running.engine.stats.features_bytes)  # the head start is over
        await talk.say(types.Everything(3))
        await asyncio.to_thread(gate.wait_for_somebody)
        await talk.say(click(4))
        await until(lambda: running.engine.stats.n_waiting == 1)
        gate.let_pass(100)
        masks, segments = await talk.hear(2)
        assert isinstance(masks, types.Masks)
        assert told(segments).count(("cat", True)) == N_CROWD
