from __future__ import annotations

from dataclasses import replace

import pytest
from session_words import (
    HERE,
    KEY,
    MODEL,
    SIZE,
    decodes,
    fingerprint,
    fold,
    last_reply,
    new,
    opened,
    play,
    prompt,
    questions,
    ready,
    replies,
    segments_of,
)

from seem_server.session.events import ImageRead, Withdraw
from seem_server.session.questions import end
from seem_wire import errors, types

NAMES = types.Question(types.SegmentKind.SEMANTIC, ("cat", "dog"), 0.5)
BROKEN = types.Failed.of(3, errors.Internal("It broke."))


def offering(**offered):
    """A session with an image, of a model that offers other things."""
    capabilities = replace(MODEL.capabilities, **offered)
    return replace(opened(), model=replace(MODEL, capabilities=capabilities))


def asked(seq=3, question=NAMES):
    """A session that waits for an answer, and the work that will give it."""
    state, effects = fold(opened(), types.Everything(seq, question))
    return state, questions(effects)[0]


def test_a_question_becomes_work_for_the_engine():
    _, work = asked()
    assert (work.session_id, work.seq, work.image_key) == ("session", 3, KEY)
    assert (work.kind, work.vocabulary, work.threshold) == ("semantic", ("cat", "dog"), 0.5)


def test_its_answer_tells_the_segments_and_the_model():
    state, work = asked()
    after, effects = fold(state, segments_of(work))
    told = last_reply(effects)
    assert (told.seq, [one.label for one in told.segments]) == (3, ["cat"])
    assert (told.cache_hit, told.timings.decode_ms, told.model_id) == (True, 2.0, "fake@1")
    assert after.asking == ()


def test_a_question_makes_no_object_and_cannot_be_undone():
    state, work = asked()
    after, _ = fold(state, segments_of(work))
    assert after.card.object_ids == ()
    assert last_reply(fold(after, types.Undo(4))[1]).code == "NOTHING_TO_UNDO"


def test_clicks_go_on_while_a_question_waits():
    state, work = asked()
    state, effects = play(state, prompt(4, HERE), types.Undo(5), prompt(6, HERE))
    assert [reply.seq for reply in replies(effects)] == [4, 5, 6]
    _, effects = fold(state, segments_of(work))
    assert isinstance(last_reply(effects), types.Segments)


def test_a_question_between_prompts_leaves_their_chain_alone():
    plain, _ = play(opened(), prompt(3, HERE), prompt(5, HERE))
    state, _ = play(opened(), prompt(3, HERE))
    state, effects = fold(state, types.Everything(4), prompt(5, HERE))
    state, _ = fold(state, ready(decodes(effects)[0]), segments_of(questions(effects)[0]))
    assert fingerprint(state) == fingerprint(plain)


def test_a_superseded_question_is_told_so():
    state, _ = asked()
    after, effects = fold(state, types.SupersededBy(3, 4))
    assert replies(effects) == [types.SupersededBy(3, 4)]
    assert after.asking == ()


def test_a_failed_question_is_told_and_takes_nothing_back():
    before, _ = play(opened(), prompt(3, HERE))
    state, _ = fold(before, types.Everything(4))
    after, effects = fold(state, replace(BROKEN, seq=4))
    assert last_reply(effects).code == "INTERNAL"
    assert after.history == before.history


def test_a_new_image_makes_questions_about_the_old_one_pointless():
    state, work = asked()
    state, effects = fold(state, ImageRead(4, "b" * 64, SIZE))
    assert Withdraw(3) in effects
    assert replies(effects)[0] == types.SupersededBy(3, 4)
    assert fold(state, segments_of(work))[1] == []


def test_release_cancels_questions():
    _, effects = fold(asked()[0], types.Release(4))
    assert Withdraw(3) in effects
    assert [reply.seq for reply in replies(effects)] == [3, 4]
    assert replies(effects)[0].code == "CANCELLED"


def test_clearing_all_objects_leaves_questions_alone():
    state, work = asked()
    state, _ = play(state, types.Clear(4))
    assert isinstance(last_reply(fold(state, segments_of(work))[1]), types.Segments)


def test_a_question_before_an_image_is_refused():
    state, _ = fold(new(), types.OpenImage(1))
    assert last_reply(fold(state, types.Everything(2))[1]).code == "NO_IMAGE"


@pytest.mark.parametrize(
    ("offered", "question"),
    [
        ({"commands": types.COMMAND_NAMES - {"everything"}}, types.Question()),
        ({"prompts": frozenset({types.PromptKind.POINT})}, NAMES),
    ],
)
def test_a_question_that_the_model_cannot_answer_is_not_offered(offered, question):
    state, effects = fold(offering(**offered), types.Everything(3, question))
    assert last_reply(effects).code == "NOT_OFFERED"
    assert state.asking == ()


def test_a_model_without_texts_still_knows_its_own_names():
    state = offering(prompts=frozenset({types.PromptKind.POINT}))
    assert questions(fold(state, types.Everything(3))[1])


def test_outcomes_of_other_commands_are_none_of_its_own():
    state, effects = fold(opened(), prompt(3, HERE))
    assert end(state, ready(decodes(effects)[0])) is None
    assert end(state, BROKEN) is None
