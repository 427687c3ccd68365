"""Any order of commands, lost streams and lost servers (Hypothesis): nobody could tell.

`--hypothesis-profile=long` looks for longer.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from service_words import (
    GIVEN,
    HEIGHT,
    WIDTH,
    Service,
    Stream,
    frame,
    open_image,
    set_image,
    show,
)
from session_words import MODEL
from undisturbed import Undisturbed

from seem_server.store.memory import MemoryStore
from seem_wire import errors, types
from seem_wire.prompts import Box, ObjectPrompt, Point

OBJECTS = st.integers(1, 3)
POINTS = st.builds(
    Point,
    st.integers(0, WIDTH - 1).map(lambda x: x + 0.5),
    st.integers(0, HEIGHT - 1).map(lambda y: y + 0.5),
    st.booleans(),
)
SAID = st.one_of(
    POINTS.map(lambda point: ObjectPrompt(points=(point,))),
    st.sampled_from([ObjectPrompt(box=Box(5.0, 5.0, 40.0, 30.0)), ObjectPrompt(text="zebra")]),
)


def prompt(object_id, said, predict, hypotheses):
    one = types.PromptedObject(object_id, said)
    return lambda seq: types.Prompt(seq, (one,), predict, hypotheses)


PROMPTS = st.builds(prompt, OBJECTS, SAID, st.booleans(), st.booleans())
COMMANDS = st.one_of(
    PROMPTS,
    PROMPTS,
    st.sampled_from([types.Undo, types.Redo, types.Undo, types.Clear, types.Everything, set_image]),
    st.builds(lambda object_id: lambda seq: types.RemoveObject(seq, object_id), OBJECTS),
    st.builds(lambda one, n: lambda seq: types.Choose(seq, one, n), OBJECTS, st.integers(0, 2)),
    st.builds(lambda object_id: lambda seq: show(seq, object_id=object_id), OBJECTS),
)
"""What makes a command of its number."""

MOMENTS = st.integers(0, 12)
"""Turns of the loop between a word and the accident."""


class Reached:
    """A store as a server reaches it until it is killed: from then on nothing comes through."""

    quick = True

    def __init__(self, store):
        self._store, self.killed = store, False

    def __getattr__(self, name):
        if self.killed:
            raise errors.StoreFailed("The server is dead.")
        return getattr(self._store, name)


class Sessions(RuleBasedStateMachine):
    """A client that says one thing after the other, whatever happens to its stream and server."""

    def __init__(self):
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._store = MemoryStore()
        self._services = []
        self._run(self._start())
        self._stream = None

    def teardown(self):
        self._run(self._end())
        self._loop.close()

    @initialize()
    def begin(self):
        self._run(self._open())

    @rule(make=COMMANDS)
    def say(self, make):
        self._run(self._ask(make(self._next())))

    @rule(make=COMMANDS, moments=MOMENTS)
    def lose_the_stream_after_a_word(self, make, moments):
        self._run(self._ask(make(self._next()), accident=self._lose, moments=moments))

    @rule(make=COMMANDS, moments=MOMENTS)
    def kill_the_server_after_a_word(self, make, moments):
        self._run(self._ask(make(self._next()), accident=self._kill, moments=moments))

    @rule(make=COMMANDS, moments=MOMENTS)
    def stop_the_server_after_a_word(self, make, moments):
        self._run(self._ask(make(self._next()), accident=self._stop, moments=moments))

    @rule(make=COMMANDS, moments=MOMENTS)
    def attach_elsewhere_after_a_word(self, make, moments):
        self._run(self._ask(make(self._next()), accident=self._start, moments=moments))

    @rule()
    def leave_and_come_back(self):
        self._run(self._leave())

    @rule()
    def be_left_alone(self):
        self._here.directory.sweep(now_s=1e9)

    @rule()
    def lose_what_the_engine_knows(self):
        caches = vars(self._here.engine._caches).values()
        for cache in caches:
            cache.clear()

    @precondition(lambda self: self._next() > 6)
    @rule(moments=MOMENTS, accident=st.sampled_from(["_lose", "_kill", "_stop"]))
    def release(self, moments, accident):
        self._run(self._release(getattr(self, accident), moments))

    @invariant()
    def the_session_is_as_if_nothing_had_happened(self):
        held = self._here.directory._sessions.get(self._session_id) if self._stream else None
        if held is not None:
            assert held.card == self._expected.state.card

    # --- the client

    def _run(self, coroutine):
        return self._loop.run_until_complete(coroutine)

    def _next(self):
        return self._said + 1

    @property
    def _here(self):
        return self._services[-1][0]

    async def _open(self):
        await self._open_by(open_image())
        await self._ask(set_image())

    async def _open_by(self, command):
        self._stream = Stream(self._here.directory)
        self._said = 1
        self._stream.say(command)
        (opened,) = await self._stream.hear()
        self._session_id = opened.session_id
        self._expected = Undisturbed(opened.session_id, MODEL)
        self._expected.ask(command)

    async def _ask(self, *commands, accident=None, moments=0):
        self._stream.say(*commands)
        if accident is not None:
            await self._turns(moments)
            await accident()
            await self._attach(*commands)
        for command in commands:
            reply = await self._answer(command.seq)
            self._said = command.seq
            self._compare(reply, self._expected.ask(command))

    async def _attach(self, *commands):
        """Has the session in a stream of its own, and says again what the server does not know."""
        stream = Stream(self._here.directory)
        waiting = tuple(command.seq for command in commands)
        attach = types.Attach(10**6, self._session_id, self._said, waiting=waiting, masks=True)
        stream.say(attach)
        attached = await self._answer(10**6, stream)
        self._stream = stream
        if not commands:
            expected = self._expected.masks()
            assert attached.session == self._expected.state.card
            assert {one.object_id: shape(one) for one in attached.objects} == {
                key: shape(one) for key, one in expected.items()
            }
        stream.say(*(one for one in commands if one.seq > attached.session.last_seq))

    async def _answer(self, seq, stream=None):
        """The reply to a command; what was answered before may come again."""
        while True:
            (reply,) = await (stream or self._stream).hear()
            if reply.seq == seq:
                return reply
            assert reply.seq < seq

    def _compare(self, reply, expected):
        if isinstance(expected, types.Failed):
            assert reply.code == expected.code
        elif isinstance(expected, types.Segments) and isinstance(reply, types.Failed):
            assert reply.code == "REPLY_LOST"
        else:
            assert timeless(reply) == timeless(expected)

    async def _release(self, accident, moments):
        self._stream.say(types.Release(self._next()))
        await self._turns(moments)
        await accident()
        stream = Stream(self._here.directory)
        stream.say(types.Attach(10**6, self._session_id, self._said))
        reply = await self._answer(10**6, stream)
        if isinstance(reply, types.Attached):
            stream.say(types.Release(self._next()))
            assert await self._answer(self._next(), stream) == types.Done(self._next())
        else:
            assert reply.code == "UNKNOWN_SESSION"
        await stream.finish()
        await self._open()

    async def _turns(self, n):
        for _ in range(n):
            await asyncio.sleep(0)

    # --- accidents

    async def _start(self):
        """Another server, over the same store, that sessions are claimed by from now on."""
        reached = Reached(self._store)
        self._services.append((Service(store=reached), reached))

    async def _lose(self):
        await self._hang_up()

    async def _leave(self):
        await self._stream.finish()
        await self._attach()

    async def _kill(self):
        here, reached = self._services[-1]
        reached.killed = True
        await self._hang_up()
        here.close()
        await self._start()

    async def _stop(self):
        here, _ = self._services[-1]
        await here.directory.hand_over(within_s=0)
        await self._hang_up()
        here.close()
        await self._start()

    async def _hang_up(self):
        self._stream.task.cancel()
        _, left = await asyncio.wait([self._stream.task], timeout=20)
        assert not left
        if not self._stream.task.cancelled():
            self._stream.task.exception()

    async def _end(self):
        if self._stream is not None:
            await self._hang_up()
        for here, reached in self._services:
            reached.killed = True
            here.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def shape(mask):
    """What a mask is, without what the reply that told it said of changes."""
    return mask.rle, mask.score, mask.box, mask.area, mask.round


def timeless(reply):
    if isinstance(reply, types.Masks | types.Segments):
        return replace(reply, timings=types.Timings(), cache_hit=False)
    if isinstance(reply, types.ImageSet):
        return replace(reply, timings=types.Timings(), cache_hit=False)
    return reply


FRAMES = st.integers(0, 4)
"""Three are there from the beginning; more may come."""

THERE = st.lists(st.integers(0, 2), min_size=2, max_size=6)


def prompt_on(frame_of_it, make):
    return lambda seq: replace(make(seq), frame=frame_of_it)


VIDEO_COMMANDS = st.one_of(
    st.builds(prompt_on, FRAMES, PROMPTS),
    st.builds(prompt_on, FRAMES, PROMPTS),
    st.builds(lambda to, source: lambda seq: types.Propagate(seq, to, source), FRAMES, FRAMES),
    st.builds(lambda to, source: lambda seq: types.Propagate(seq, to, source), FRAMES, FRAMES),
    st.sampled_from([types.Undo, types.Redo, types.Clear, types.Stop]),
    st.builds(lambda index: lambda seq: frame(seq, index), st.integers(3, 4)),
    COMMANDS,
)
ACCIDENTS = st.sampled_from(["_lose", "_kill", "_stop", "_start"])


class Videos(Sessions):
    """The same about a video, where many frames wait to be followed to."""

    @rule(make=VIDEO_COMMANDS)
    def say_of_a_video(self, make):
        self._run(self._ask(make(self._next())))

    @rule(make=VIDEO_COMMANDS, moments=MOMENTS, accident=ACCIDENTS)
    def have_an_accident_after_a_word_of_a_video(self, make, moments, accident):
        happening = getattr(self, accident)
        self._run(self._ask(make(self._next()), accident=happening, moments=moments))

    @rule(moments=MOMENTS, accident=ACCIDENTS, frames=THERE)
    def have_an_accident_while_frames_are_followed_to(self, moments, accident, frames):
        ways = enumerate(pairwise(frames), self._next())
        commands = [types.Propagate(seq, to, source) for seq, (source, to) in ways]
        self._run(self._ask(*commands, accident=getattr(self, accident), moments=moments))

    async def _open(self):
        await self._open_by(types.OpenVideo(1))
        await self._ask(*(frame(2 + index, index) for index in range(3)))
        await self._ask(types.Prompt(5, (types.PromptedObject(1, GIVEN),), frame=0))


TestVideos = Videos.TestCase
TestVideos.settings = settings(max_examples=settings().max_examples // 5, stateful_step_count=30)
TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=settings().max_examples // 3, stateful_step_count=40)
