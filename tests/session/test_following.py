"""Objects followed through a video, by the rules of a session."""

from __future__ import annotations

from dataclasses import replace

import pytest
from session_words import (
    HERE,
    KEY,
    MASK,
    MODEL,
    NOT_HERE,
    SIZE,
    ZEBRA,
    content,
    decodes,
    filmed,
    fold,
    followed,
    follows,
    frame,
    last_reply,
    new,
    opened,
    pixel,
    play,
    prompt,
    ready,
    replies,
    seen,
)

from seem_server.engine.work import Encode, Seen
from seem_server.session import following
from seem_server.session.events import FrameRead, ImageRead, Withdraw
from seem_wire import errors, types

KEYS = tuple(f"{index:064}" for index in range(4))


def failed(seq):
    return types.Failed.of(seq, errors.Internal("It broke."))


def code_of(state, *events):
    _, effects = fold(state, *events)
    return last_reply(effects).code


def prompted(*said, frame=0):
    """A video whose object 1, or what `said` tells, was prompted by command 10."""
    return play(filmed(), prompt(10, *(said or (HERE,)), frame=frame))[0]


def to(seq, frame, source=None):
    return types.Propagate(seq, frame, frame - 1 if source is None else source)


def followed_to_all():
    """A video whose object was followed from frame 0 to 3 by commands 11 to 13."""
    return play(prompted(), to(11, 1), to(12, 2), to(13, 3))[0]


def followed_by(seq, object_id=1):
    """The mask that a command followed an object to."""
    return pixel(1000 + 10 * seq + object_id)


def trail_of(effects, object_id=1):
    (work,) = follows(effects)
    return next(one for one in work.objects if one.object_id == object_id)


def masks_of(reply):
    return {one.object_id: one.rle for one in reply.objects}


def answers(effects):
    """Of each reply its number, and the objects that it has masks of or its code."""
    return [
        (one.seq, list(masks_of(one)) if isinstance(one, types.Masks) else code(one))
        for one in replies(effects)
    ]


def code(reply):
    return reply.code if isinstance(reply, types.Failed) else type(reply).__name__


# --- frames


def test_a_model_that_follows_nothing_opens_no_video():
    commands = types.COMMAND_NAMES - types.VIDEO_COMMAND_NAMES
    offered = replace(MODEL.capabilities, commands=commands)
    state = replace(new(), model=replace(MODEL, capabilities=offered))
    assert code_of(state, types.OpenVideo(1)) == "NOT_OFFERED"


def test_a_frame_is_told_as_an_image_and_counted():
    read = FrameRead(10, 4, KEY, SIZE, True, types.Timings(total_ms=3))
    state, effects = fold(filmed(), read)
    assert replies(effects) == [types.ImageSet(10, KEY, SIZE, True, types.Timings(total_ms=3))]
    assert (state.card.n_frames, state.card.content_hash) == (5, KEY)


def test_only_the_first_frame_is_encoded_ahead():
    state, _ = fold(new(), types.OpenVideo(1))
    state, first = fold(state, frame(2, 0))
    _, second = fold(state, frame(3, 1))
    assert [one for one in (*first, *second) if isinstance(one, Encode)] == [
        Encode("session", KEYS[0])
    ]


@pytest.mark.parametrize("index", [0, 3, 5])
def test_frames_come_in_their_order_each_once(index):
    assert code_of(filmed(), frame(10, index)) == "FRAME_OUT_OF_ORDER"


def test_all_frames_are_of_one_size():
    assert code_of(filmed(), FrameRead(10, 4, KEY, SIZE[::-1])) == "FRAME_SIZE_CHANGED"


def test_the_first_frame_may_be_of_any_size():
    state, _ = fold(new(), types.OpenVideo(1), FrameRead(2, 0, KEY, (3, 5)))
    assert state.card.size == (3, 5)


@pytest.mark.parametrize(
    ("begun", "command", "code"),
    [
        (filmed, frame(10, 5), "FRAME_OUT_OF_ORDER"),
        (filmed, FrameRead(10, 4, KEY, (1, 1)), "FRAME_SIZE_CHANGED"),
        (filmed, ImageRead(10, KEY, SIZE), "OTHER_SUBJECT"),
        (filmed, types.Everything(10), "OTHER_SUBJECT"),
        (filmed, prompt(10, HERE), "INVALID_VALUE"),
        (filmed, prompt(10, HERE, frame=4), "UNKNOWN_FRAME"),
        (filmed, to(10, 1), "NOTHING_TO_FOLLOW"),
        (prompted, to(11, 4), "UNKNOWN_FRAME"),
        (prompted, to(11, 3, 4), "UNKNOWN_FRAME"),
        (opened, prompt(10, HERE, frame=0), "OTHER_SUBJECT"),
        (opened, frame(10, 0), "OTHER_SUBJECT"),
        (opened, to(10, 1), "OTHER_SUBJECT"),
        (opened, types.Stop(10), "OTHER_SUBJECT"),
    ],
)
def test_what_is_refused_changes_nothing(begun, command, code):
    before = begun()
    after, effects = fold(before, command)
    assert after is before
    assert [one.code for one in replies(effects)] == [code]


def test_what_was_only_queued_is_nothing_to_follow():
    state, _ = fold(filmed(), prompt(10, HERE, predict=False, frame=0))
    assert code_of(state, to(11, 1)) == "NOTHING_TO_FOLLOW"


# --- prompts


def test_a_prompt_is_about_the_frame_that_it_names():
    state, effects = fold(filmed(), prompt(10, HERE, frame=2))
    (work,) = decodes(effects)
    assert work.image_key == KEYS[2]
    _, effects = fold(state, ready(work))
    assert last_reply(effects).frame == 2


def test_what_is_queued_on_another_frame_waits_for_a_prompt_there():
    state, _ = fold(filmed(), prompt(10, (2, HERE), predict=False, frame=0))
    _, elsewhere = fold(state, prompt(11, HERE, frame=1))
    _, there = fold(state, prompt(11, HERE, frame=0))
    ids = [[sorted(work.object_ids) for work in decodes(one)] for one in (elsewhere, there)]
    assert ids == [[[1]], [[1, 2]]]


def test_each_frame_has_rounds_of_its_own():
    state = prompted()
    _, effects = fold(state, prompt(11, ZEBRA, frame=1))
    (rounds,) = (one.rounds for one in decodes(effects)[0].objects)
    assert [entry.seq for entry in rounds] == [11]


def test_objects_are_counted_once_on_however_many_frames():
    state, _ = play(filmed(max_objects=1), prompt(10, HERE, frame=0))
    assert decodes(fold(state, prompt(11, HERE, frame=1))[1])
    assert code_of(state, prompt(11, (2, HERE), frame=1)) == "LIMIT_EXCEEDED"
    assert state.card.object_ids == (1,)


def test_a_mask_that_is_all_that_was_said_is_taken_as_it_is():
    _, effects = fold(filmed(), prompt(10, MASK, frame=0))
    assert decodes(effects)[0].objects[0].rounds[0].as_given
    _, effects = fold(prompted(), prompt(11, MASK, frame=0))
    assert [one.as_given for one in decodes(effects)[0].objects[0].rounds] == [False, False]


# --- following


def test_an_object_is_followed_from_where_it_is():
    state, effects = fold(prompted(), to(11, 1))
    (work,) = follows(effects)
    there = Seen(KEYS[0], pixel(10))
    assert (work.session_id, work.seq, work.image_key) == ("session", 11, KEYS[1])
    assert (trail_of(effects).references, trail_of(effects).last) == ((there,), there)
    after, effects = fold(state, followed(work))
    told = last_reply(effects)
    assert (told.seq, told.frame, told.model_id) == (11, 1, "fake@1")
    assert masks_of(told) == {1: followed_by(11)}
    _, effects = fold(after, to(12, 2))
    assert trail_of(effects).last == Seen(KEYS[1], followed_by(11))


def test_its_answer_tells_what_it_cost():
    state, effects = fold(prompted(), to(11, 1))
    outcome = replace(
        followed(follows(effects)[0]), cache_hit=True, timings=types.Timings(decode_ms=3)
    )
    told = last_reply(fold(state, outcome)[1])
    assert (told.cache_hit, told.timings.decode_ms) == (True, 3)


def test_following_waits_until_all_prompts_are_answered():
    state, effects = fold(filmed(), prompt(10, HERE, frame=0))
    (work,) = decodes(effects)
    state, effects = fold(state, to(11, 1))
    assert effects == []
    state, effects = fold(state, ready(work))
    assert [one.seq for one in follows(effects)] == [11]


def test_frames_are_followed_one_by_one_in_the_order_of_their_commands():
    state, effects = fold(prompted(), to(11, 2, 0), to(12, 1), to(13, 3))
    for seq, key in ((11, 2), (12, 1), (13, 3)):
        (work,) = follows(effects)
        assert (work.seq, work.image_key) == (seq, KEYS[key])
        state, effects = fold(state, followed(work))
    assert follows(effects) == []
    assert state.video.running is None


def test_where_it_was_lost_it_goes_on_from_its_marks_alone():
    state, effects = fold(prompted(), to(11, 1))
    state, effects = fold(state, followed(follows(effects)[0], 1))
    assert last_reply(effects).objects[0].area == 0
    way = trail_of(fold(state, to(12, 2))[1])
    assert (way.references, way.last) == ((Seen(KEYS[0], pixel(10)),), None)


def test_a_frame_keeps_the_masks_that_were_prompted_there_to_the_pixel():
    state = prompted((1, HERE), (2, HERE))
    state, _ = play(state, prompt(11, HERE, frame=1))
    state, effects = play(state, to(12, 1))
    (work,) = follows(effects)
    assert [one.object_id for one in work.objects] == [2]
    assert masks_of(last_reply(effects)) == {1: pixel(11), 2: followed_by(12, 2)}


def test_a_frame_where_all_were_prompted_needs_no_work():
    state = prompted((1, HERE), (2, HERE))
    _, effects = fold(state, to(11, 0, 1))
    assert follows(effects) == []
    assert masks_of(last_reply(effects)) == {1: pixel(10), 2: pixel(10)}


def test_what_is_prompted_while_a_frame_is_followed_to_counts_for_the_next():
    state, effects = fold(prompted(), to(11, 1), to(12, 2))
    (running,) = follows(effects)
    state, effects = fold(state, prompt(13, HERE, frame=3))
    state, _ = fold(state, ready(decodes(effects)[0]))
    _, effects = fold(state, followed(running))
    assert [seen.image_key for seen in trail_of(effects).references] == [KEYS[3], KEYS[0]]


def test_what_is_prompted_in_the_frame_that_is_followed_to_stands():
    state, effects = fold(prompted(), to(11, 1))
    (running,) = follows(effects)
    state, effects = fold(state, prompt(12, HERE, frame=1))
    state, _ = fold(state, ready(decodes(effects)[0]))
    state, effects = fold(state, followed(running))
    assert masks_of(last_reply(effects)) == {1: pixel(12)}
    assert [one.mark for one in state.video.known] == [10, 12]


def test_what_failed_is_told_and_the_next_frame_goes_on():
    state, effects = fold(prompted(), to(11, 1), to(12, 2))
    state, effects = fold(state, failed(11))
    assert answers(effects) == [(11, "INTERNAL")]
    assert [one.seq for one in follows(effects)] == [12]
    assert trail_of(effects).last is None


def test_where_no_prompt_came_to_a_mask_there_is_none_to_follow():
    state, effects = fold(filmed(), prompt(10, HERE, frame=0), to(11, 1), to(12, 2))
    state, effects = fold(state, failed(10))
    assert answers(effects) == [(10, "INTERNAL"), (11, []), (12, [])]
    assert state.video.waiting == ()


# --- corrections


def test_a_correction_begins_with_where_the_object_was_followed_to():
    state = followed_to_all()
    _, effects = fold(state, prompt(14, NOT_HERE, frame=2))
    (one,) = decodes(effects)[0].objects
    assert one.start == followed_by(12)
    assert [entry.seq for entry in one.rounds] == [14]


def test_a_negative_click_alone_needs_something_to_take_away_from():
    state, effects = fold(prompted(), to(11, 1))
    state, _ = fold(state, followed(follows(effects)[0], 1))
    for nowhere in (1, 2):
        assert code_of(state, prompt(12, NOT_HERE, frame=nowhere)) == "ONLY_NEGATIVE_PROMPTS"


def test_further_corrections_begin_with_the_same():
    state, _ = play(followed_to_all(), prompt(14, HERE, frame=2), to(15, 2, 3))
    _, effects = fold(state, prompt(16, NOT_HERE, frame=2))
    (one,) = decodes(effects)[0].objects
    assert (one.start, [entry.seq for entry in one.rounds]) == (followed_by(12), [14, 16])


def test_a_corrected_frame_counts_from_then_on():
    state, _ = play(followed_to_all(), prompt(14, HERE, frame=2))
    _, effects = fold(state, to(15, 3))
    way = trail_of(effects)
    assert way.last == way.references[0] == Seen(KEYS[2], pixel(14))


# --- objects that go


def test_an_object_that_was_removed_meanwhile_is_not_told_and_not_known():
    state, effects = fold(prompted((1, HERE), (2, HERE)), to(11, 1))
    (running,) = follows(effects)
    state, _ = fold(state, types.RemoveObject(12, 1))
    state, effects = fold(state, followed(running))
    assert answers(effects) == [(11, [2])]
    assert [one.object_id for one in state.video.known if not one.mark] == [2]


@pytest.mark.parametrize("gone", [types.RemoveObject(12, 1), types.Undo(12), types.Clear(12)])
def test_another_object_of_the_same_name_is_not_where_the_first_was(gone):
    state, effects = fold(prompted(), to(11, 1))
    (running,) = follows(effects)
    state, _ = play(state, gone, prompt(13, HERE, frame=3))
    state, effects = fold(state, followed(running))
    assert answers(effects) == [(11, [])]
    assert trail_of(fold(state, to(14, 2, 1))[1]).last is None


def test_another_object_of_the_same_name_does_not_begin_where_the_first_was():
    state, _ = play(followed_to_all(), types.Undo(14))
    assert code_of(state, prompt(15, NOT_HERE, frame=2)) == "ONLY_NEGATIVE_PROMPTS"
    _, effects = fold(state, prompt(15, HERE, frame=2))
    assert decodes(effects)[0].objects[0].start is None


def test_where_a_removed_object_was_followed_to_is_forgotten():
    state, _ = play(followed_to_all(), types.RemoveObject(14, 1), types.Undo(15))
    assert [(one.frame, one.mark) for one in state.video.known] == [(0, 10)]


def test_clear_ends_no_following_and_leaves_nothing_to_follow():
    state, effects = fold(prompted(), to(11, 1), to(12, 2))
    (running,) = follows(effects)
    state, effects = fold(state, types.Clear(13))
    assert answers(effects) == [(13, "Done")]
    state, effects = fold(state, followed(running))
    assert answers(effects) == [(11, []), (12, [])]
    assert code_of(state, to(14, 1)) == "NOTHING_TO_FOLLOW"


# --- the end of it


def test_stop_ends_what_runs_and_what_waits_and_is_answered_last():
    state, effects = fold(prompted(), to(11, 1), to(12, 2), to(13, 3))
    state, effects = fold(state, types.Stop(14))
    assert answers(effects) == [(n, "CANCELLED") for n in (11, 12, 13)] + [(14, "Done")]
    assert [one.seq for one in effects if isinstance(one, Withdraw)] == [11]
    assert (state.video.running, state.waiting) == (None, frozenset())


def test_what_ends_after_it_was_stopped_is_nobodys():
    state, effects = fold(prompted(), to(11, 1))
    (running,) = follows(effects)
    state, effects = fold(state, types.Stop(12), to(13, 2))
    for outcome in (followed(running), failed(11)):
        assert fold(state, outcome) == (state, [])
    assert [one.seq for one in follows(effects)] == [13]


def test_stop_ends_no_prompt():
    state, effects = fold(filmed(), prompt(10, HERE, frame=0))
    (work,) = decodes(effects)
    state, effects = fold(state, types.Stop(11))
    assert answers(effects) == [(11, "Done")]
    assert answers(fold(state, ready(work))[1]) == [(10, [1])]


def test_a_released_session_follows_nothing():
    state, effects = fold(prompted(), to(11, 1), to(12, 2))
    state, effects = fold(state, types.Release(13))
    assert answers(effects) == [(11, "CANCELLED"), (12, "CANCELLED"), (13, "Done")]
    assert Withdraw(11) in effects
    assert state.waiting == frozenset()


def test_no_more_frames_wait_than_may(monkeypatch):
    monkeypatch.setattr(following, "MAX_WAITING", 2)
    state, _ = fold(prompted(), to(11, 1), to(12, 2), to(13, 3))
    assert state.waiting == {12, 13}
    assert code_of(state, to(14, 1)) == "LIMIT_EXCEEDED"


# --- back and forth


def test_undo_goes_back_over_frames_and_tells_which():
    state = prompted()
    state, _ = play(state, prompt(11, HERE, frame=1), prompt(12, HERE, frame=1))
    state, effects = play(state, types.Undo(13))
    assert (last_reply(effects).frame, masks_of(last_reply(effects))) == (1, {1: pixel(11)})
    state, effects = play(state, types.Undo(14))
    told = last_reply(effects)
    assert (told.frame, told.objects, told.removed_object_ids) == (1, (), (1,))
    state, effects = play(state, types.Redo(15))
    assert (last_reply(effects).frame, masks_of(last_reply(effects))) == (1, {1: pixel(11)})


def test_after_an_undone_correction_the_frame_is_as_it_was_followed():
    before = followed_to_all()
    state, _ = play(before, prompt(14, NOT_HERE, frame=2), types.Undo(15))
    assert content(state.history.objects) == content(before.history.objects)
    assert trail_of(fold(state, to(16, 3))[1]).last == Seen(KEYS[2], followed_by(12))


def test_one_object_goes_back_on_its_own_over_frames():
    state = prompted((1, HERE), (2, HERE))
    state, _ = play(state, prompt(11, HERE, frame=1), prompt(12, (2, HERE), frame=2))
    state, effects = play(state, types.Undo(13, 1))
    assert (last_reply(effects).frame, last_reply(effects).removed_object_ids) == (1, (1,))
    assert [one.key for one in state.history.objects] == [(0, 1), (0, 2), (2, 2)]
    state, effects = play(state, types.Redo(14, 1))
    assert masks_of(last_reply(effects)) == {1: pixel(11)}
    assert [one.key for one in state.history.objects] == [(0, 1), (0, 2), (1, 1), (2, 2)]


def test_what_was_cleared_comes_back_on_all_frames():
    state, _ = play(prompted(), prompt(11, HERE, frame=1), types.Clear(12))
    assert state.card.object_ids == ()
    state, effects = play(state, types.Undo(13))
    assert last_reply(effects).frame == 1
    for frame_of_it, mark in ((0, 10), (1, 11)):
        _, effects = fold(state, to(14, frame_of_it, 3))
        assert masks_of(last_reply(effects)) == {1: pixel(mark)}


def test_following_is_nothing_to_undo():
    state = followed_to_all()
    assert state.card.undo_depth == 1
    _, effects = play(state, types.Undo(14))
    assert last_reply(effects).removed_object_ids == (1,)


def test_a_choice_is_about_the_frame_that_was_prompted_last():
    state, _ = play(filmed(), prompt(10, HERE, frame=2), prompt(11, HERE, hypotheses=True, frame=1))
    _, effects = play(state, types.Choose(12, 1, 1))
    assert decodes(effects)[0].image_key == KEYS[1]
    assert (last_reply(effects).frame, masks_of(last_reply(effects))) == (1, {1: pixel(12)})


# --- marks whose masks are not known


def forgetful():
    """Object 1 of frame 0 and object 2 of frame 1 came back by an undo that showed only one."""
    said = prompt(10, (1, HERE), frame=0), prompt(11, (2, HERE), frame=1)
    return play(fold(filmed(), *said, types.Clear(12))[0], types.Undo(13))[0]


def test_a_mark_that_nobody_knows_any_more_is_made_again_before_it_is_followed():
    state, effects = fold(forgetful(), to(14, 2))
    (again,) = decodes(effects)
    assert (again.seq, again.frame, again.object_ids) == (14, 0, {1})
    assert follows(effects) == []
    state, effects = fold(state, ready(again))
    assert {one.object_id for one in follows(effects)[0].objects} == {1, 2}
    _, effects = fold(state, followed(follows(effects)[0]))
    assert set(masks_of(last_reply(effects))) == {1, 2}


def test_a_frame_tells_the_mark_that_was_made_again():
    _, effects = play(forgetful(), to(14, 0, 0))
    assert set(masks_of(last_reply(effects))) == {1, 2}


def test_a_mark_that_cannot_be_made_again_fails_the_command_and_no_other():
    state, effects = fold(forgetful(), to(14, 2), failed(14))
    assert last_reply(effects).seq == 14
    assert state.video.running is None
    assert decodes(fold(state, to(15, 2))[1])


def test_a_mark_is_made_again_once_a_command_whatever_is_kept(monkeypatch):
    monkeypatch.setattr("seem_server.tracking.memory.MAX_CHARACTERS", 0)
    _, effects = play(forgetful(), to(14, 2))
    assert last_reply(effects).seq == 14


def test_where_a_prompt_takes_its_place_it_is_made_after_it():
    state, _ = fold(forgetful(), to(14, 2))
    state, effects = fold(state, types.SupersededBy(14, 15))
    assert replies(effects) == []
    assert decodes(effects)[0].seq == 14


def test_an_object_whose_marks_are_empty_is_told_as_not_to_be_seen():
    state, effects = fold(filmed(), prompt(10, (1, ZEBRA), (2, HERE), frame=0))
    answer = ready(decodes(effects)[0])
    nowhere = tuple(seen(1, None) if one.object_id == 1 else one for one in answer.masks)
    state, _ = fold(state, replace(answer, masks=nowhere))
    _, effects = play(state, to(11, 1))
    told = {one.object_id: one.area for one in last_reply(effects).objects}
    assert told[1] == 0 < told[2]


def test_a_mark_whose_making_was_stopped_is_made_again_for_the_next_command():
    state, _ = fold(forgetful(), to(14, 2), types.Stop(15))
    _, effects = fold(state, to(16, 2))
    assert [(one.seq, one.object_ids) for one in decodes(effects)] == [(16, {1})]
