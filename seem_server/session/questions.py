"""Questions about the whole image: they change no object, and so history knows nothing of them.

Everything ──> FindEverything ─┬─> SegmentsReady ──> Segments
├─> SupersededBy ───> Superseded   a newer one was asked
└─> Failed ─────────> Error
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seem_server.engine.work import Everything as FindEverything
from seem_server.engine.work import Followed, MasksReady, SegmentsReady
from seem_server.session.events import Send, Withdraw
from seem_wire.errors import NotOffered
from seem_wire.types import PromptKind, Segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from seem_server.session.events import Effect, Outcome
    from seem_server.session.state import Image, State
    from seem_wire.types import Capabilities, Everything, Question, Reply

    Step = tuple[State, tuple[Effect, ...]]


def ask(state: State, command: Everything, image: Image) -> Step:
    """The state in which a question about `image` waits, and the work to submit.

    Raises:
        NotOffered: The model cannot tell what is in an image, or not by these names.
    """
    question = command.question
    _check(question, state.model.capabilities)
    work = FindEverything(
        state.session_id,
        command.seq,
        image.key,
        question.kind,
        question.vocabulary,
        question.threshold,
    )
    return replace(state, asking=(*state.asking, command.seq)), (work,)


def end(state: State, outcome: Outcome) -> Step | None:
    """The state after a question's work ended, and its answer; None where it is no question's."""
    match outcome:
        case MasksReady() | Followed():
            return None
        case SegmentsReady():
            seq, answer = outcome.work.seq, _segments(state, outcome)
        case _:
            seq, answer = outcome.seq, outcome
    if seq not in state.asking:
        return None
    after = replace(state, asking=tuple(one for one in state.asking if one != seq))
    return after, (Send(answer),)


def withdraw(state: State, answer: Callable[[int], Reply]) -> Step:
    """Answers the questions that wait, each by `answer(seq)`, and takes them from the engine."""
    effects: list[Effect] = []
    for seq in state.asking:
        effects += (Withdraw(seq), Send(answer(seq)))
    return replace(state, asking=()), tuple(effects)


def _segments(state: State, ready: SegmentsReady) -> Reply:
    return Segments(
        ready.work.seq,
        ready.segments,
        timings=ready.timings,
        cache_hit=ready.cache_hit,
        model_id=state.model.model_id,
    )


def _check(question: Question, offered: Capabilities) -> None:
    if "everything" not in offered.commands:
        raise NotOffered("This model cannot tell what is in an image.")
    if question.vocabulary is not None and PromptKind.TEXT not in offered.prompts:
        raise NotOffered("This model reads no texts: it knows the names of its own vocabulary.")
