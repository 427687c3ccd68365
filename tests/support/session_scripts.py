"""Any order of commands and outcomes (Hypothesis), and an engine that follows it."""

from __future__ import annotations

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
    prompt,
    questions,
    ready,
    segments_of,
)

from seem_server.engine.work import Decode, Everything
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
OUTCOMES = st.sampled_from([("ready",), ("ready",), ("superseded",), ("failed",)])
SCRIPTS = st.lists(st.one_of(COMMANDS, COMMANDS, OUTCOMES), max_size=40)


def command(seq, name, *said):
    match name:
        case "prompt":
            pairs, predict, hypotheses = said
            return prompt(seq, *pairs, predict=predict, hypotheses=hypotheses)
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


class Engine:
    """Serves what waits in the order that a script says, superseding as the real one does."""

    def __init__(self):
        self.waiting = []

    def take(self, effects):
        withdrawn = {one.seq for one in effects if isinstance(one, Withdraw)}
        self.waiting = [work for work in self.waiting if work.seq not in withdrawn]
        self.waiting += decodes(effects) + questions(effects)

    def outcome(self, kind):
        if not self.waiting:
            return None
        oldest = self.waiting.pop(0)
        if isinstance(oldest, Everything):
            return self._answer(oldest, kind)
        prompts = [work for work in self.waiting if isinstance(work, Decode)]
        newer = [work for work in prompts if work.object_ids >= oldest.object_ids]
        if kind == "superseded" and newer:
            self.waiting = [w.without(oldest.seq) if w in newer else w for w in self.waiting]
            return types.SupersededBy(oldest.seq, newer[0].seq)
        if kind == "failed":
            return types.Failed.of(oldest.seq, errors.Internal("It broke."))
        return ready(oldest)

    def _answer(self, oldest, kind):
        newer = [work for work in self.waiting if isinstance(work, Everything)]
        if kind == "superseded" and newer:
            return types.SupersededBy(oldest.seq, newer[0].seq)
        if kind == "failed":
            return types.Failed.of(oldest.seq, errors.Internal("It broke."))
        return segments_of(oldest)
