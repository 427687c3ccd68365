from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from session_words import (
    AROUND,
    BOX,
    HERE,
    KEY,
    MASK,
    NOT_AROUND,
    NOT_HERE,
    PROMPTS,
    SHOWN,
    SIZE,
    ZEBRA,
    chain,
    chain_of,
    decodes,
    fingerprint,
    fold,
    last_reply,
    new,
    opened,
    play,
    prompt,
    ready,
    replies,
)

from seem_server.engine.work import Encode
from seem_server.session.events import Forget, ImageRead, Withdraw
from seem_server.session.machine import step
from seem_wire import errors, types
from seem_wire.prompts import Box, ExamplePrompt, MaskPrompt, ObjectPrompt, Point

BROKEN = types.Failed.of(3, errors.Internal("It broke."))


def code_of(state, *events):
    _, effects = fold(state, *events)
    return last_reply(effects).code


# --- opening


def test_opening_tells_the_session_and_its_model():
    state, effects = fold(new(), types.OpenImage(1))
    assert replies(effects) == [types.Opened(1, "session", state.model)]


def test_a_session_opens_once():
    assert code_of(new(), types.OpenImage(1), types.OpenImage(2)) == "ALREADY_OPEN"


def test_nothing_goes_before_opening():
    assert code_of(new(), types.Undo(1)) == "UNKNOWN_SESSION"


def test_an_image_is_told_and_encoded_before_the_first_click():
    timings = types.Timings(total_ms=3)
    read = ImageRead(2, KEY, SIZE, True, timings)
    _, effects = fold(new(), types.OpenImage(1), read)
    assert last_reply(effects) == types.ImageSet(2, KEY, SIZE, True, timings)
    assert effects[-1] == Encode("session", KEY)


@pytest.mark.parametrize(
    "command",
    [
        prompt(2, HERE),
        types.Undo(2),
        types.Redo(2),
        types.Clear(2),
        types.RemoveObject(2, 1),
        types.Choose(2, 1, 0),
    ],
    ids=lambda command: type(command).__name__,
)
def test_commands_before_an_image_are_refused(command):
    assert code_of(new(), types.OpenImage(1), command) == "NO_IMAGE"


def test_a_new_image_starts_anew():
    state, _ = play(opened(), prompt(3, HERE), ImageRead(4, "b" * 64, (9, 9)))
    assert state.card == types.SessionCard("session", "fake@1", "b" * 64, (9, 9), last_seq=4)


@pytest.mark.parametrize("seq", [1, 2])
def test_a_number_that_does_not_rise_is_refused(seq):
    assert code_of(opened(), types.Clear(seq)) == "BAD_SEQUENCE"


def test_numbers_may_skip():
    _, effects = fold(opened(), types.Clear(99))
    assert replies(effects) == [types.Done(99)]


# --- prompts


def test_a_prompt_is_decoded_and_its_masks_are_sent():
    state, effects = fold(opened(), prompt(3, HERE))
    (work,) = effects
    assert (work.session_id, work.seq, work.image_key) == ("session", 3, KEY)
    _, effects = step(state, ready(work))
    assert [mask.object_id for mask in last_reply(effects).objects] == [1]
    assert last_reply(effects).model_id == "fake@1"


def test_points_and_scribbles_add_up():
    _, effects = play(opened(), prompt(3, HERE), prompt(4, NOT_HERE))
    last = decodes(effects)[-1].objects[0].rounds[-1]
    assert last.prompt.points == HERE.points + NOT_HERE.points


def test_lassos_and_negative_boxes_add_up_and_leave_the_box():
    _, effects = play(
        opened(), prompt(3, BOX), prompt(4, NOT_AROUND), prompt(5, AROUND), prompt(6, NOT_AROUND)
    )
    said = decodes(effects)[-1].objects[0].rounds[-1].prompt
    assert said.lassos == NOT_AROUND.lassos + AROUND.lassos + NOT_AROUND.lassos
    assert said.negative_boxes == NOT_AROUND.negative_boxes * 2
    assert said.box == BOX.box


def test_a_box_a_mask_a_text_or_an_example_takes_the_place_of_the_earlier_one():
    later = ObjectPrompt(
        box=Box(5, 5, 6, 6),
        mask=MaskPrompt(np.ones(SIZE, np.bool_)),
        text="horse",
        example=ExamplePrompt(KEY, np.ones(SIZE, np.bool_)),
    )
    before = ObjectPrompt(box=BOX.box, mask=MASK.mask, text="zebra", example=SHOWN.example)
    state, _ = play(opened(), prompt(3, before), prompt(4, later))
    said = state.history.objects[0].said
    assert (said.box, said.mask, said.text) == (later.box, later.mask, later.text)
    assert said.example is later.example


def test_an_example_stays_said_and_goes_along_with_later_clicks():
    _, effects = play(opened(), prompt(3, SHOWN), prompt(4, NOT_HERE))
    assert decodes(effects)[-1].objects[0].rounds[-1].prompt.example is SHOWN.example
    assert decodes(effects)[-1].example_keys == {SHOWN.example.image}


def test_each_prediction_rests_on_those_before():
    _, effects = play(opened(), prompt(3, HERE), prompt(4, HERE), prompt(5, HERE))
    assert [chain(work) for work in decodes(effects)] == [[3], [3, 4], [3, 4, 5]]


def test_one_prompt_may_name_several_objects():
    _, effects = fold(opened(), prompt(3, (1, HERE), (7, ZEBRA)))
    assert decodes(effects)[0].object_ids == {1, 7}


def test_a_queued_prompt_is_done_and_counted_in_later():
    _, effects = play(opened(), prompt(3, HERE, predict=False), prompt(4, HERE))
    assert replies(effects)[0] == types.Done(3)
    (work,) = decodes(effects)
    assert chain(work) == [4]
    assert len(work.objects[0].rounds[0].prompt.points) == 2


def test_objects_queued_before_are_predicted_together():
    _, effects = play(opened(), prompt(3, (1, HERE), predict=False), prompt(4, (2, HERE)))
    assert decodes(effects)[0].object_ids == {1, 2}


def test_a_queued_object_with_only_negatives_keeps_waiting():
    _, effects = play(opened(), prompt(3, (1, NOT_HERE), predict=False), prompt(4, (2, HERE)))
    assert decodes(effects)[0].object_ids == {2}


def test_only_negative_prompts_are_refused_and_nothing_is_lost():
    before, _ = play(opened(), prompt(3, (1, HERE)))
    after, effects = fold(before, prompt(4, (1, HERE), (2, NOT_HERE)))
    assert last_reply(effects).code == "ONLY_NEGATIVE_PROMPTS"
    assert after == before


def test_a_negative_prompt_after_a_positive_one_is_fine():
    _, effects = play(opened(), prompt(3, HERE), prompt(4, NOT_HERE))
    assert isinstance(last_reply(effects), types.Masks)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (ObjectPrompt(points=(Point(61, 4),)), "POINT_OUTSIDE_IMAGE"),
        (ObjectPrompt(box=Box(70, 1, 80, 9)), "BOX_WITHOUT_AREA"),
        (ObjectPrompt(mask=MaskPrompt(np.ones((4, 4), np.bool_))), "MASK_SIZE_MISMATCH"),
    ],
)
def test_a_prompt_that_does_not_fit_the_image_is_refused(said, code):
    assert code_of(opened(), prompt(3, said)) == code


def test_a_refused_command_can_be_sent_again_with_its_number():
    outside = ObjectPrompt(points=(Point(-1, 4),))
    _, effects = play(opened(), prompt(3, outside), prompt(3, HERE))
    assert isinstance(last_reply(effects), types.Masks)


def test_a_kind_of_prompt_that_the_model_lacks_is_not_offered():
    state = opened()
    offered = replace(state.model.capabilities, prompts=PROMPTS - {types.PromptKind.EXAMPLE})
    state = replace(state, model=replace(state.model, capabilities=offered))
    assert code_of(state, prompt(3, SHOWN)) == "NOT_OFFERED"


def test_late_masks_of_an_object_that_is_gone_are_left_out():
    state, effects = fold(opened(), prompt(3, (1, HERE), (2, HERE)), types.RemoveObject(4, 1))
    _, effects = step(state, ready(decodes(effects)[0]))
    assert [mask.object_id for mask in last_reply(effects).objects] == [2]


# --- undo and redo


def test_undo_shows_the_mask_before():
    _, effects = play(opened(), prompt(3, HERE), prompt(4, HERE), types.Undo(5))
    assert chain(decodes(effects)[-1]) == [3]
    assert last_reply(effects).seq == 5


def test_undoing_an_objects_first_prompt_removes_it():
    _, effects = play(opened(), prompt(3, HERE), types.Undo(4))
    assert last_reply(effects) == types.Masks(4, (), (1,), model_id="fake@1")


def test_undo_answers_only_for_what_changed():
    _, effects = play(
        opened(), prompt(3, (1, HERE), (2, HERE)), prompt(4, (2, HERE)), types.Undo(5)
    )
    assert decodes(effects)[-1].object_ids == {2}


def test_undoing_what_was_only_queued_shows_nothing():
    state, effects = play(opened(), prompt(3, HERE, predict=False), types.Undo(4))
    assert last_reply(effects) == types.Masks(4, (), model_id="fake@1")
    assert state.history.objects == ()


def test_redo_shows_what_was_undone():
    state, effects = play(opened(), prompt(3, HERE), prompt(4, HERE), types.Undo(5), types.Redo(6))
    assert chain(decodes(effects)[-1]) == chain_of(state) == [3, 4]


def test_clearing_is_undone_with_all_masks_and_redone_without():
    state, effects = play(opened(), prompt(3, (1, HERE)), prompt(4, (2, HERE)), types.Clear(5))
    assert last_reply(effects) == types.Done(5)
    state, effects = play(state, types.Undo(6))
    assert decodes(effects)[0].object_ids == {1, 2}
    _, effects = play(state, types.Redo(7))
    assert last_reply(effects) == types.Masks(7, (), (1, 2), model_id="fake@1")


def test_a_removed_object_comes_back_by_undo():
    state, effects = play(opened(), prompt(3, (1, HERE), (2, HERE)), types.RemoveObject(4, 1))
    assert state.card.object_ids == (2,)
    state, effects = play(state, types.Undo(5))
    assert decodes(effects)[0].object_ids == {1}
    assert state.card.object_ids == (1, 2)


def test_a_removed_object_starts_anew_when_it_is_named_again():
    _, effects = play(opened(), prompt(3, HERE), types.RemoveObject(4, 1), prompt(5, HERE))
    assert chain(decodes(effects)[-1]) == [5]


def test_removing_an_object_that_is_not_there_is_refused():
    assert code_of(opened(), types.RemoveObject(3, 8)) == "UNKNOWN_OBJECT"


def test_there_is_an_end_to_undo_and_to_redo():
    assert code_of(opened(), types.Undo(3)) == "NOTHING_TO_UNDO"
    assert code_of(opened(), types.Redo(3)) == "NOTHING_TO_REDO"


def test_a_new_prompt_forgets_what_could_be_redone():
    state, _ = play(opened(), prompt(3, HERE), types.Undo(4), prompt(5, HERE))
    assert code_of(state, types.Redo(6)) == "NOTHING_TO_REDO"


def test_undo_of_one_object_shows_its_mask_before():
    state, _ = play(opened(), prompt(3, (1, HERE), (2, HERE)), prompt(4, (1, HERE), (2, HERE)))
    state, effects = play(state, types.Undo(5, 1))
    assert decodes(effects)[0].object_ids == {1}
    assert (chain_of(state, 1), chain_of(state, 2)) == ([3], [3, 4])
    state, _ = play(state, types.Redo(6, 1))
    assert chain_of(state, 1) == [3, 4]


def test_undo_of_one_object_takes_back_its_removal_after_all_that_came_since():
    state, _ = play(opened(), prompt(3, HERE), types.RemoveObject(4, 1), prompt(5, (2, HERE)))
    state, effects = play(state, types.Undo(6, 1))
    assert chain(decodes(effects)[0]) == [3]
    assert state.card.object_ids == (1, 2)


def test_what_one_object_cannot_undo_or_redo_names_it():
    state, _ = play(opened(), prompt(3, HERE), types.Undo(4))
    for command in (types.Undo(5, 1), types.Redo(5, 2)):
        refusal = last_reply(fold(state, command)[1])
        assert refusal.message.endswith(f"of object {command.object_id}.")


def test_an_object_does_not_come_back_where_others_took_its_room():
    state, _ = play(opened(max_objects=1), prompt(3, HERE), types.RemoveObject(4, 1))
    state, _ = play(state, prompt(5, (2, HERE)))
    assert code_of(state, types.Undo(6, 1)) == "LIMIT_EXCEEDED"


def test_an_undo_of_one_object_that_failed_is_taken_back():
    state, _ = play(opened(), prompt(3, HERE), prompt(4, HERE), prompt(5, (2, HERE)))
    after, _ = fold(state, types.Undo(6, 1), types.Failed.of(6, errors.Internal("")))
    assert fingerprint(replace(after, last_seq=5)) == fingerprint(state)


def test_what_an_undo_or_redo_changed_lies_around_both_masks():
    state, effects = fold(opened(), prompt(3, HERE), prompt(4, HERE))
    first, second = (ready(work) for work in decodes(effects))
    state, _ = fold(state, first, moved(second, Box(5, 1, 9, 4)))
    state, effects = fold(state, types.Undo(5))
    _, effects = step(state, ready(decodes(effects)[0]))
    assert last_reply(effects).objects[0].changed == Box(0, 0, 9, 4)


def moved(outcome, box):
    return replace(outcome, masks=tuple(replace(mask, box=box) for mask in outcome.masks))


# --- superseding


def test_a_superseded_prompt_is_told_so_and_its_round_drops_out_of_later_chains():
    state, _ = fold(opened(), prompt(3, HERE), prompt(4, HERE))
    state, effects = fold(state, types.SupersededBy(3, 4))
    assert replies(effects) == [types.SupersededBy(3, 4)]
    _, effects = fold(state, prompt(5, HERE))
    assert chain(decodes(effects)[0]) == [4, 5]
    assert len(decodes(effects)[0].objects[0].rounds[-1].prompt.points) == 3


def test_a_superseded_round_is_made_after_all_when_an_undo_shows_it():
    state, effects = fold(opened(), prompt(3, HERE), prompt(4, HERE), types.SupersededBy(3, 4))
    _, effects = fold(state, types.Undo(5))
    assert chain(decodes(effects)[0]) == [3]


def test_the_rounds_that_the_engine_really_used_become_the_chain():
    state, effects = fold(opened(), prompt(3, HERE), prompt(4, HERE), prompt(5, HERE))
    second, third = decodes(effects)[1:]
    state, _ = fold(state, types.SupersededBy(3, 4), ready(second, (3,)), ready(third))
    assert chain_of(state) == [3, 4, 5]  # the third ran with what had been sent
    _, effects = fold(state, types.Undo(6))
    assert chain(decodes(effects)[0]) == [4]  # the second's mask was shown without the first


def test_a_mask_that_was_shown_keeps_its_chain_when_an_older_one_is_shown_again():
    both, left = ((1, HERE), (2, HERE)), ((1, HERE), (3, HERE))
    state, effects = fold(opened(), prompt(3, *both), prompt(4, *left), prompt(5, *both))
    _, second, third = decodes(effects)
    state, _ = fold(state, types.SupersededBy(3, 5), ready(second), ready(third, (3,)))
    state, effects = play(state, types.Undo(6), types.Redo(7))
    assert [chain(work) for work in decodes(effects)] == [[3, 4], [4, 5]]


def test_an_undo_answers_the_prompt_that_it_takes_back():
    state, _ = fold(opened(), prompt(3, HERE), prompt(4, HERE))
    _, effects = fold(state, types.Undo(5))
    assert effects[0] == Withdraw(4)
    assert replies(effects) == [types.SupersededBy(4, 5)]


@pytest.mark.parametrize(
    "command", [types.Clear(4), types.RemoveObject(4, 1), ImageRead(4, KEY, SIZE)]
)
def test_what_makes_a_prompt_pointless_answers_it(command):
    _, effects = fold(opened(), prompt(3, HERE), command)
    assert Withdraw(3) in effects
    assert replies(effects)[0] == types.SupersededBy(3, 4)


def test_a_withdrawn_undo_still_tells_which_objects_it_removed():
    state, _ = play(opened(), prompt(3, (1, HERE)), prompt(4, (1, HERE), (2, HERE)))
    _, effects = fold(state, types.Undo(5), types.Clear(6))
    assert replies(effects) == [types.Masks(5, (), (2,), model_id="fake@1"), types.Done(6)]


def test_an_outcome_of_what_was_answered_already_is_ignored():
    state, effects = fold(opened(), prompt(3, HERE), types.Clear(4))
    assert step(state, ready(decodes(effects)[0])) == (state, ())
    assert step(state, BROKEN) == (state, ())


# --- failures


def test_a_prompt_that_failed_is_taken_back():
    before = opened()
    state, effects = fold(before, prompt(3, HERE), BROKEN)
    assert replies(effects) == [BROKEN]
    assert fingerprint(state)[2:-1] == fingerprint(before)[2:-1]


def test_an_undo_or_redo_that_failed_is_taken_back():
    state, _ = play(opened(), prompt(3, HERE), prompt(4, HERE), prompt(5, HERE), types.Undo(6))
    for command in (types.Undo(7), types.Redo(7)):
        after, _ = fold(state, command, types.Failed.of(7, errors.Internal("")))
        assert chain_of(after) == [3, 4]
        assert (after.card.undo_depth, after.card.redo_depth) == (2, 1)


def test_a_failed_prompt_keeps_what_could_be_redone():
    state, _ = play(opened(), prompt(3, HERE), prompt(4, HERE), types.Undo(5))
    after, _ = fold(state, prompt(6, HERE), types.Failed.of(6, errors.Internal("")))
    assert after.card.redo_depth == 1


def test_prompts_that_failed_one_after_the_other_are_all_taken_back():
    state, _ = fold(opened(), prompt(3, HERE), prompt(4, HERE), prompt(5, HERE))
    for seq in (3, 4, 5):
        state, _ = fold(state, types.Failed.of(seq, errors.Internal("")))
    assert state.history.objects == ()
    assert state.pending == ()


def test_a_failed_prompt_that_a_newer_mask_rests_on_stays():
    state, effects = fold(opened(), prompt(3, HERE), prompt(4, HERE))
    state, _ = fold(state, BROKEN, ready(decodes(effects)[1]))
    assert chain_of(state) == [3, 4]
    assert state.pending == ()


# --- the end


def test_release_answers_what_waits_and_forgets_the_session():
    _, effects = fold(opened(), prompt(3, HERE), types.Release(4))
    assert [reply.seq for reply in replies(effects)] == [3, 4]
    assert replies(effects)[0].code == "CANCELLED"
    assert effects[-1] == Forget()


def test_nothing_goes_after_release():
    assert code_of(opened(), types.Release(3), types.Undo(4)) == "UNKNOWN_SESSION"


# --- choosing


def asked(*commands):
    """A session whose object 1 was clicked with command 3, which was answered with hypotheses."""
    return play(opened(), prompt(3, HERE, hypotheses=True), *commands)


def test_a_choice_is_the_last_round_again():
    state, effects = asked(prompt(4, NOT_HERE, hypotheses=True), types.Choose(5, 1, 1))
    work = decodes(effects)[-1]
    before, last = work.objects[0].rounds
    assert (before.seq, before.choice) == (3, None)
    assert (last.seq, last.choice, last.wants_hypotheses) == (5, 1, False)
    assert last.prompt.points == HERE.points + NOT_HERE.points
    assert [mask.round for mask in last_reply(effects).objects] == [2]
    assert chain_of(state) == [3, 5]


def test_what_changed_by_a_choice_is_told_against_what_was_shown():
    _, effects = asked(types.Choose(4, 1, 1))
    assert last_reply(effects).objects[0].changed == Box(0, 0, 1, 1)


def test_one_may_choose_again_from_the_same_list():
    state, _ = asked(types.Choose(4, 1, 1), types.Choose(5, 1, 0))
    (last,) = state.history.objects[0].rounds
    assert (last.seq, last.choice) == (5, 0)


def test_a_choice_is_one_change_to_undo_and_redo():
    state, _ = asked(types.Choose(4, 1, 1))
    back, effects = play(state, types.Undo(5))
    assert chain_of(back) == [3]
    assert len(last_reply(effects).objects[0].hypotheses) == 2
    forth, effects = play(back, types.Redo(6))
    assert chain_of(forth) == [4]
    assert decodes(effects)[-1].objects[0].rounds[-1].choice == 1
    again, _ = play(back, types.Choose(6, 1, 0))
    assert chain_of(again) == [6]


def test_later_rounds_rest_on_what_was_chosen():
    _, effects = asked(types.Choose(4, 1, 1), prompt(5, NOT_HERE))
    assert chain(decodes(effects)[-1]) == [4, 5]


def test_a_choice_that_a_newer_click_overtook_still_counts():
    state, _ = asked()
    state, effects = fold(state, types.Choose(4, 1, 1), prompt(5, NOT_HERE))
    newer = decodes(effects)[-1]
    state, _ = fold(state, types.SupersededBy(4, 5), ready(newer, superseded=(4,)))
    assert chain_of(state) == [4, 5]


def test_a_choice_that_failed_is_taken_back():
    state, _ = asked()
    after, _ = fold(state, types.Choose(4, 1, 1))
    after, _ = fold(after, types.Failed.of(4, errors.Internal("It broke.")))
    assert chain_of(after) == [3]
    assert after.card.undo_depth == state.card.undo_depth


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        ((types.Choose(4, 1, 2),), "NOTHING_TO_CHOOSE"),
        ((types.Choose(4, 2, 0),), "UNKNOWN_OBJECT"),
        ((prompt(4, NOT_HERE), types.Choose(5, 1, 0)), "NOTHING_TO_CHOOSE"),
        ((prompt(4, (2, HERE), predict=False), types.Choose(5, 2, 0)), "NOTHING_TO_CHOOSE"),
        ((types.Clear(4), types.Choose(5, 1, 0)), "UNKNOWN_OBJECT"),
    ],
)
def test_only_what_was_sent_for_the_last_prompt_can_be_chosen(commands, code):
    _, effects = asked(*commands)
    assert last_reply(effects).code == code


def test_nothing_can_be_chosen_before_the_answer():
    state, _ = fold(opened(), prompt(3, HERE, hypotheses=True))
    assert code_of(state, types.Choose(4, 1, 0)) == "NOTHING_TO_CHOOSE"
