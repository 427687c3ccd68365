"""Any order of commands and outcomes (Hypothesis), and an engine that follows it."""

from __future__ import annotations

from itertools import chain

from hypothesis import strategies as st
from session_words import (
    AROUND,
    BOX,
    HERE,
    KEY,
    MASK,
    NOT_AROUND,
    NOT_HERE,
    SHOWN,
    SIZE,
    ZEBRA,
    decodes,
    followed,
    follows,
    frame,
    prompt,
    questions,
    ready,
    segments_of,
)

from seem_server.engine.work import Decode, Everything, Follow
from seem_server.session.events import ImageRead, Withdraw
from seem_wire import errors, types

SAID = st.sampled_from([HERE, NOT_HERE, BOX, MASK, ZEBRA, SHOWN, AROUND, NOT_AROUND])
PAIRS = st.lists(
    st.tuples(st.integers(1, 3), SAID), min_size=1, max_size=3, unique_by=lambda pair: pair[0]
)
COMMANDS = st.one_of(
    st.builds(lambda *said: ("prompt", *said), PAIRS, st.booleans(), st.booleans()),
    st.sampled_from([("undo",), ("undo",), ("redo",), ("clear",), ("remove",), ("image",)]),
    st.builds(lambda name, one: (name, one), st.sampled_from(["undo", "redo"]), st.integers(1, 3)),
    st.sampled_from([("choose", 0), ("choose", 1), ("choose", 2)]),
    st.just(("everything",)),
)
FRAMES = st.integers(0, 4)
"""Four are there from the beginning, and one may come."""

VIDEO_COMMANDS = st.one_of(
    st.builds(lambda *said: ("prompt", *said), PAIRS, st.booleans(), st.booleans(), FRAMES),
    st.builds(lambda to, source: ("propagate", to, source), FRAMES, FRAMES),
    st.builds(lambda to, source: ("propagate", to, source), FRAMES, FRAMES),
    st.sampled_from([("stop",), ("frame", 4), ("frame", 5)]),
    COMMANDS,
)
OUTCOME_NAMES = frozenset({"ready", "superseded", "failed", "click"})
OUTCOMES = st.sampled_from([("ready",), ("ready",), ("superseded",), ("failed",)])
VIDEO_OUTCOMES = st.one_of(OUTCOMES, st.just(("click",)))
BEGINNING = (("video",), ("prompt", [(1, HERE)], True, False, 0), ("ready",))
IMAGE_SCRIPTS = st.lists(st.one_of(COMMANDS, COMMANDS, OUTCOMES), max_size=40)
CORRECTED_MEANWHILE = st.builds(
    lambda pairs, to, source: [
        *(("propagate", to, source), ("prompt", pairs, True, False, to), ("click",))
    ],
    PAIRS,
    FRAMES,
    FRAMES,
)
_ONE = st.one_of(VIDEO_COMMANDS, VIDEO_COMMANDS, VIDEO_OUTCOMES).map(lambda word: [word])
_PARTS = st.one_of(_ONE, _ONE, _ONE, CORRECTED_MEANWHILE)
VIDEO_SCRIPTS = (st.lists(_PARTS, max_size=35) | st.lists(_PARTS, min_size=15, max_size=35)).map(
    lambda parts: [*BEGINNING, *chain.from_iterable(parts)]
)
SCRIPTS = IMAGE_SCRIPTS | VIDEO_SCRIPTS
"""Sessions about an image, and such about a video, which begin with a word of their own."""


def is_about_a_video(script):
    return script[:1] == [("video",)]


def command(seq, name, *said):  # noqa: C901  (a case a kind)
    match name:
        case "prompt":
            pairs, predict, hypotheses, *about = said
            to = about[0] if about else None
            return prompt(seq, *pairs, predict=predict, hypotheses=hypotheses, frame=to)
        case "choose":
            return types.Choose(seq, 1, *said)
        case "undo":
            return types.Undo(seq, *said)
        case "redo":
            return types.Redo(seq, *said)
        case "clear":
            return types.Clear(seq)
        case "remove":
            return types.RemoveObject(seq, 1)
        case "everything":
            return types.Everything(seq)
        case "image":
            return ImageRead(seq, KEY, SIZE)
        case "frame":
            return frame(seq, *said)
        case "propagate":
            return types.Propagate(seq, *said)
        case "stop":
            return types.Stop(seq)


class Engine:
    """Serves what waits in the order that a script says, superseding as the real one does.

    "click": where one waits, it goes before what is older.
    """

    def __init__(self):
        self.waiting = []

    def take(self, effects):
        withdrawn = {one.seq for one in effects if isinstance(one, Withdraw)}
        self.waiting = [work for work in self.waiting if work.seq not in withdrawn]
        self.waiting += decodes(effects) + questions(effects) + follows(effects)

    def outcome(self, kind):
        if not self.waiting:
            return None
        clicks = [work for work in self.waiting if isinstance(work, Decode)]
        oldest = clicks[0] if kind == "click" and clicks else self.waiting[0]
        self.waiting.remove(oldest)
        if kind == "failed":
            return types.Failed.of(oldest.seq, errors.Internal("It broke."))
        if isinstance(oldest, Follow):
            return followed(oldest)
        newer = [work for work in self.waiting if _includes(work, oldest)]
        if kind == "superseded" and newer:
            if isinstance(oldest, Decode):
                self.waiting = [w.without(oldest.seq) if w in newer else w for w in self.waiting]
            return types.SupersededBy(oldest.seq, newer[0].seq)
        return segments_of(oldest) if isinstance(oldest, Everything) else ready(oldest)


def _includes(newer, older):
    if isinstance(older, Everything):
        return isinstance(newer, Everything)
    alike = isinstance(newer, Decode) and newer.frame == older.frame
    return alike and newer.object_ids >= older.object_ids
