"""What a stream promises, over a real server and a fake, slow model."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from service_words import (
    OTHER_KEY,
    OUTSIDE,
    Talk,
    click,
    opening,
    photo,
    served,
    set_image,
    show,
    slow_backend,
    until,
)

from seem_server.runtime.fake_backend import FakeBackend
from seem_wire import types
from seem_wire.prompts import MaskPrompt, ObjectPrompt, Point

FAR = ObjectPrompt(points=(Point(75.5, 55.5),))
TURN_S = 0.1
"""Most that a turn of the loop may cost. Not wall time, which a busy machine stretches."""


def at_rest(running):
    stats = running.engine.stats
    return not (len(running.directory) or stats.n_waiting or stats.n_running or stats.n_pins)


async def test_of_five_quick_clicks_the_first_and_the_last_are_decoded():
    backend, gate = slow_backend()
    async with served(backend) as (_, stub, _):
        talk = Talk(stub)
        await talk.ask(*opening(), types.Clear(3))
        await talk.say(click(4))
        await asyncio.to_thread(gate.wait_for_somebody)
        await talk.say(*(click(seq) for seq in (5, 6, 7, 8)))
        assert await talk.hear(3) == [types.SupersededBy(n, n + 1) for n in (5, 6, 7)]
        gate.let_pass(2)
        first, last = await talk.hear(2)
    assert (first.seq, last.seq) == (4, 8)
    assert last.objects[0].score > first.objects[0].score  # it counts five clicks in
    assert backend.n_decoded == 2


async def test_two_hundred_rapid_clicks_are_all_told_and_nothing_leaks():
    backend, gate = slow_backend()
    async with served(backend) as (running, stub, _):
        talk = Talk(stub)
        await talk.ask(*opening())
        await talk.say(*(click(3 + n) for n in range(200)))
        gate.let_pass(200)
        replies = await talk.hear(200)
        assert sorted(reply.seq for reply in replies) == list(range(3, 203))
        assert {type(reply) for reply in replies} <= {types.Masks, types.SupersededBy}
        assert replies[-1].seq == 202
        undone = await talk.ask(types.Undo(203))
        assert isinstance(undone, types.Masks)
        await talk.hear_until_the_end()
        await until(lambda: at_rest(running))


async def test_clicks_on_different_objects_do_not_take_each_others_place():
    backend, gate = slow_backend()
    async with served(backend) as (_, stub, _):
        talk = Talk(stub)
        await talk.ask(*opening())
        await talk.say(*(click(3 + n, object_id=1 + n) for n in range(4)))
        gate.let_pass(4)
        assert [type(one) for one in await talk.hear(4)] == [types.Masks] * 4


async def test_a_faulty_command_is_told_so_and_loses_nothing():
    async with served() as (_, stub, _):
        talk = Talk(stub)
        before = await talk.ask(*opening(), click(3))
        assert (await talk.ask(click(4, OUTSIDE))).code == "POINT_OUTSIDE_IMAGE"
        assert (await talk.ask(set_image(5, photo()[:99]))).code == "IMAGE_TRUNCATED"
        await talk.ask(click(6))
        after = await talk.ask(types.Undo(7))
    assert after.objects[0].rle == before.objects[0].rle


async def test_hanging_up_in_the_middle_of_a_decode_leaves_nothing_behind():
    backend, gate = slow_backend()
    async with served(backend) as (running, stub, _):
        tasks = len(asyncio.all_tasks())
        talks = [Talk(stub) for _ in range(5)]
        for talk in talks:
            await talk.ask(*opening())
            await talk.say(click(3), click(4, object_id=2))
        await asyncio.to_thread(gate.wait_for_somebody)
        for talk in talks:
            talk.hang_up()
        await until(lambda: len(running.directory) == 0)
        gate.let_pass(20)
        await until(lambda: at_rest(running) and len(asyncio.all_tasks()) <= tasks)


async def test_going_back_and_forth_shows_the_same_masks_bit_for_bit():
    async with served(memory_bytes=0) as (_, stub, _):  # nothing is cached: all is made again
        talk = Talk(stub)
        await talk.ask(*opening())
        shown = [(await talk.ask(click(3 + n))).objects[0].rle for n in range(4)]
        back = [(await talk.ask(types.Undo(7 + n))).objects[0].rle for n in range(3)]
        forth = [(await talk.ask(types.Redo(10 + n))).objects[0].rle for n in range(3)]
    assert [*reversed(back), shown[-1]] == shown
    assert forth == shown[1:]


async def turns(during):
    """What each turn of the loop cost its thread in processor time, while `during` ran."""
    found = []
    task = asyncio.ensure_future(during)
    while not task.done():
        began_s = time.thread_time()
        await asyncio.sleep(0.001)
        found.append(time.thread_time() - began_s)
    await task
    return found


async def test_a_choice_that_a_click_overtakes_is_what_the_click_builds_on():
    async with served() as (_, stub, _):
        talk = Talk(stub)
        asked = await talk.ask(*opening(), click(3, hypotheses=True))
        calm = await talk.ask(types.Choose(4, 1, 2), click(5, FAR))
    chosen = asked.objects[0].hypotheses[2]
    backend, gate = slow_backend()
    async with served(backend) as (_, stub, _):
        talk = Talk(stub)
        gate.let_pass()
        await talk.ask(*opening(), click(3, hypotheses=True))
        await asyncio.to_thread(gate.wait_for_somebody)
        await talk.say(click(4, FAR, object_id=2))
        await asyncio.to_thread(gate.wait_for_somebody)
        await talk.say(types.Choose(5, 1, 2), click(6, FAR))
        assert await talk.hear() == [types.SupersededBy(5, 6)]
        gate.let_pass(10)
        _, hurried = await talk.hear(2)
    assert hurried.objects[0].rle == calm.objects[0].rle
    assert hurried.objects[0].area > chosen.area


async def test_the_event_loop_never_computes():
    large = photo(height=3000, width=4000, form="JPEG")  # takes far longer to read than TURN_S
    async with served(FakeBackend(encode_s=0.3, decode_s=0.3)) as (_, stub, _):
        talk = Talk(stub)
        commands = (*opening(), set_image(3, large), click(4, whole(3000, 4000)))
        await talk.ask(*commands[:2])
        found = await turns(talk.ask(*commands[2:]))
    assert len(found) > 100
    assert max(found) < TURN_S


def whole(height, width):
    return ObjectPrompt(mask=MaskPrompt(np.ones((height, width), np.bool_)))


async def test_clicks_overtake_everything_that_waits_and_a_newer_question_an_older():
    backend, gate = slow_backend()
    async with served(backend) as (running, stub, _):
        talk = Talk(stub)
        await talk.ask(*opening())
        await until(lambda: running.engine.stats.features_bytes)  # the head start is over
        await talk.say(click(3))
        await asyncio.to_thread(gate.wait_for_somebody)
        await talk.say(types.Everything(4), types.Everything(5), click(6, object_id=2))
        assert await talk.hear() == [types.SupersededBy(4, 5)]
        await until(lambda: running.engine.stats.n_waiting == 2)
        gate.let_pass(3)
        replies = await talk.hear(3)
        assert [type(reply) for reply in replies] == [types.Masks, types.Masks, types.Segments]
        assert [reply.seq for reply in replies] == [3, 6, 5]
        await talk.hear_until_the_end()
        await until(lambda: at_rest(running))


async def test_an_example_goes_over_the_stream_once_and_then_by_its_hash():
    async with served() as (running, stub, _):
        talk = Talk(stub)
        masks = await talk.ask(*opening(), show(3))
        again = await talk.ask(show(4, types.ImageKey(OTHER_KEY), object_id=2))
        assert masks.objects[0].rle == again.objects[0].rle
        await talk.hear_until_the_end()
        await until(lambda: at_rest(running))
