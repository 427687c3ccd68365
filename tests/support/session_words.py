"""Short words to script a session with, and what two states must share to be equal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seem_server.engine.work import (
    Decode,
    Everything,
    Follow,
    Followed,
    MasksReady,
    SegmentsReady,
    prompt_digest,
)
from seem_server.session.events import FrameRead, ImageRead, Send
from seem_server.session.machine import step
from seem_server.session.state import State
from seem_wire import rle, types
from seem_wire.prompts import Box, ExamplePrompt, Lasso, MaskPrompt, ObjectPrompt, Point
from seem_wire.rle import Rle

SIZE = (40, 60)
KEY = "a" * 64
PROMPTS = frozenset(types.PromptKind)
MODEL = types.ModelCard("fake@1", "fake", "fake", types.Capabilities(PROMPTS, types.COMMAND_NAMES))
HERE = ObjectPrompt(points=(Point(3.5, 4.5),))
NOT_HERE = ObjectPrompt(points=(Point(9.5, 4.5, positive=False),))
CORNERS = ((5.0, 5.0), (25.0, 5.0), (25.0, 25.0))
AROUND = ObjectPrompt(lassos=(Lasso(CORNERS),))
NOT_AROUND = ObjectPrompt(
    negative_boxes=(Box(1.0, 2.0, 9.0, 9.0),), lassos=(Lasso(CORNERS, False),)
)
BOX = ObjectPrompt(box=Box(1.0, 2.0, 30.0, 20.0))
MASK = ObjectPrompt(mask=MaskPrompt(np.ones(SIZE, np.bool_)))
ZEBRA = ObjectPrompt(text="zebra")
SHOWN = ObjectPrompt(example=ExamplePrompt("b" * 64, np.ones((20, 10), np.bool_)))


def new(**limits):
    offered = replace(MODEL.capabilities, limits=types.Limits(**limits))
    return State("session", replace(MODEL, capabilities=offered))


def opened(**limits):
    """A session with an image; its next command is number 3."""
    return fold(new(**limits), types.OpenImage(1), ImageRead(2, KEY, SIZE))[0]


def frame(seq, index):
    """The video's next frame; each has a key of its own."""
    return FrameRead(seq, index, f"{index:064}", SIZE)


def filmed(n_frames=4, **limits):
    """A session about a video with frames; its next command is number 10."""
    frames = (frame(2 + index, index) for index in range(n_frames))
    return fold(new(**limits), types.OpenVideo(1), *frames, types.Stop(9))[0]


def prompt(seq, *said, predict=True, hypotheses=False, frame=None):
    """A prompt; each saying is about object 1, or a pair of object id and saying."""
    pairs = (one if isinstance(one, tuple) else (1, one) for one in said)
    objects = tuple(types.PromptedObject(*pair) for pair in pairs)
    return types.Prompt(seq, objects, predict, hypotheses, frame)


def fold(state, *events):
    """The state after the events, and all effects."""
    effects = []
    for event in events:
        state, more = step(state, event)
        effects += more
    return state, effects


def play(state, *commands):
    """The same, with each Decode and Follow answered at once."""
    effects = []
    for command in commands:
        state, more = fold(state, command)
        for one in more:  # it grows meanwhile
            effects.append(one)
            if isinstance(one, Decode | Follow):
                state, answer = step(state, answered(one))
                more += answer
    return state, effects


def answered(work):
    return ready(work) if isinstance(work, Decode) else followed(work)


def decodes(effects):
    return [one for one in effects if isinstance(one, Decode)]


def follows(effects):
    return [one for one in effects if isinstance(one, Follow)]


def followed(work, *lost):
    """The engine's answer: another mask for each command and object; `lost` are not to be seen."""
    masks = tuple(
        seen(one.object_id, None if one.object_id in lost else 1000 + 10 * work.seq + one.object_id)
        for one in work.objects
    )
    return Followed(work, masks, False, types.Timings())


def seen(object_id, at):
    """An object's mask: the pixel `at`, or nothing for None."""
    return types.ObjectMask(object_id, pixel(at), 0.5, None, int(at is not None), round=0)


def pixel(at):
    """The mask of one pixel, by its number; of none for None."""
    mask = np.zeros(SIZE, np.bool_)
    if at is not None:
        mask.flat[at] = True
    return rle.encode(mask)


def questions(effects):
    return [one for one in effects if isinstance(one, Everything)]


def segments_of(work):
    """The engine's answer to a question; one segment of one pixel."""
    thing = types.ObjectMask(1, Rle(*SIZE, "0102"), 0.9, Box(0, 0, 1, 1), 1, "cat", 0.9)
    return SegmentsReady(work, (thing,), True, types.Timings(decode_ms=2.0))


def replies(effects):
    return [one.reply for one in effects if isinstance(one, Send)]


def last_reply(effects):
    return replies(effects)[-1]


PIXEL = types.Hypothesis(Rle(*SIZE, "0102"), 0.5, Box(0, 0, 1, 1), 1)


def ready(work, superseded=()):
    """The engine's answer: of each round another pixel. `superseded`: rounds that it dropped.

    Who wants hypotheses gets two.
    """
    for seq in superseded:
        work = work.without(seq)
    masks = tuple(
        types.ObjectMask(
            one.object_id,
            pixel(one.rounds[-1].seq),
            PIXEL.score,
            PIXEL.box,
            PIXEL.area,
            round=len(one.rounds),
            hypotheses=(PIXEL,) * 2 * one.rounds[-1].wants_hypotheses,
        )
        for one in work.objects
    )
    return MasksReady(work, masks, False, types.Timings(), tuple(superseded))


def chain(work, object_id=1):
    """The numbers of the rounds that the answer for an object rests on."""
    one = next(one for one in work.objects if one.object_id == object_id)
    return [entry.seq for entry in one.rounds]


def chain_of(state, object_id=1):
    one = next((one for one in state.history.objects if one.object_id == object_id), None)
    return [entry.seq for entry in one.rounds] if one else None


def content(objects):
    """What objects say, as comparable values (a mask is an array)."""
    return [
        (
            one.key,
            one.start,
            prompt_digest(one.said),
            [(entry.seq, prompt_digest(entry.prompt), entry.choice) for entry in one.rounds],
            one.queued,
        )
        for one in objects
    ]


def parts(change):
    """What a change returns to, as comparable values."""
    return [(one, state and content([state])) for one, state in change.parts]


def fingerprint(state):
    """All of a state, as comparable values."""
    history = state.history
    stacks = [[(c.seq, c.past, parts(c)) for c in stack] for stack in (history.undo, history.redo)]
    waiting = [(p.seq, p.answers, p.removed, p.goes_back, p.failed) for p in state.pending]
    return (
        state.phase,
        state.last_seq,
        state.image,
        content(history.objects),
        stacks,
        waiting,
        state.asking,
        state.video,
        state.card,
    )
