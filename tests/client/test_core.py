"""The session's core needs no server: commands go in, replies go in, what stands comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted_server import MODEL, SIZE, masks, obey, segments

from seem_client import _core as core
from seem_client.prompting import object_prompt
from seem_wire import errors, types
from seem_wire.prompts import MaskPrompt

HERE = object_prompt(points=[(1, 1)])


class Talk:
    """A session core and what came back, by command number."""

    def __init__(self, model=MODEL):
        self.core, self.heard = core.SessionCore(model), {}

    def say(self, command):
        self.core.expect(command, lambda outcome: self.heard.setdefault(command.seq, outcome))
        return command

    def answered(self, command, reply=None):
        self.say(command)
        self.core.receive(reply or obey(command))()
        return self.heard[command.seq]


@pytest.fixture
def talk():
    """A session with an image; its next command is number 3."""
    talk = Talk()
    talk.answered(talk.core.open_image("test"))
    talk.answered(talk.core.set_image(types.ImageBytes(b"image")))
    return talk


def test_commands_are_numbered_from_one(talk):
    assert [talk.core.prompt(1, HERE).seq, talk.core.undo().seq] == [3, 4]


def test_a_prompt_asks_for_hypotheses_only_when_told_to_and_one_of_them_is_chosen(talk):
    assert not talk.core.prompt(1, HERE).hypotheses
    assert talk.core.prompt(1, HERE, hypotheses=True).hypotheses
    assert talk.core.choose(1, 2) == types.Choose(5, 1, 2)


def test_opening_gives_the_session_its_name_and_size(talk):
    assert (talk.core.session_id, talk.core.size) == ("session-1", SIZE)


def test_a_mask_stands_until_it_is_replaced(talk):
    talk.answered(talk.core.prompt(1, HERE))
    talk.answered(talk.core.prompt(2, HERE))
    assert set(talk.core.predictions) == {1, 2}


def test_what_stands_is_given_as_a_copy(talk):
    talk.answered(talk.core.prompt(1, HERE))
    talk.core.predictions.clear()
    assert talk.core.predictions


@pytest.mark.parametrize(
    "forget",
    [
        lambda core: (core.clear(), None),
        lambda core: (core.remove(1), None),
        lambda core: (core.undo(), masks(4, removed=[1])),
        lambda core: (core.set_image(types.ImageBytes(b"other")), None),
    ],
)
def test_what_is_forgotten_stands_no_more(talk, forget):
    talk.answered(talk.core.prompt(1, HERE))
    talk.answered(*forget(talk.core))
    assert talk.core.predictions == {}


def test_a_late_answer_does_not_hide_a_newer_one(talk):
    older, newer = talk.say(talk.core.prompt(1, HERE)), talk.say(talk.core.prompt(1, HERE))
    latest = replace(masks(newer.seq, 1), model_id="newer")
    for reply in (latest, masks(older.seq, 1)):
        talk.core.receive(reply)()
    assert talk.core.predictions[1].model_id == "newer"
    assert set(talk.heard) >= {older.seq, newer.seq}


def test_an_answer_that_a_clear_overtook_does_not_stand(talk):
    click, clear = talk.say(talk.core.prompt(1, HERE)), talk.say(talk.core.clear())
    for reply in (types.Done(clear.seq), masks(click.seq, 1)):
        talk.core.receive(reply)()
    assert talk.core.predictions == {}


def test_a_reply_that_nobody_waits_for_changes_nothing(talk):
    talk.core.receive(masks(99, 1))()
    assert talk.core.predictions == {}


def test_each_command_is_told_once_how_it_ended(talk):
    command = talk.say(talk.core.undo())
    for _ in range(2):
        talk.core.receive(masks(command.seq, 1))()
    talk.core.end(errors.Disconnected("gone"))()
    assert isinstance(talk.heard[command.seq], types.Masks)


def test_the_end_is_told_to_all_who_wait_and_all_who_come_later(talk):
    command = talk.say(talk.core.undo())
    talk.core.end(errors.Disconnected("gone"))()
    assert isinstance(talk.heard[command.seq], errors.Disconnected)
    with pytest.raises(errors.Disconnected):
        talk.core.undo()


def test_the_first_end_counts(talk):
    talk.core.end(errors.Disconnected("gone"))()
    talk.core.end(core.closed())()
    with pytest.raises(errors.Disconnected):
        talk.core.undo()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"points": [(7, 1)]}, errors.PointOutsideImage),
        ({"points": [(float("nan"), 1)]}, errors.CoordinateNotFinite),
        ({"box": (3, 1, 3, 2)}, errors.BoxWithoutArea),
        ({"mask": np.ones((2, 2), np.bool_)}, errors.MaskSizeMismatch),
        ({}, errors.PromptEmpty),
    ],
)
def test_a_faulty_prompt_is_refused_before_it_is_sent(talk, said, error):
    with pytest.raises(error):
        talk.core.prompt(1, object_prompt(**said))
    assert talk.core.undo().seq == 3


def test_a_prompt_that_the_server_does_not_take_is_refused_with_what_it_takes():
    offered = types.Capabilities(frozenset({types.PromptKind.POINT}), frozenset())
    talk = Talk(replace(MODEL, capabilities=offered))
    with pytest.raises(errors.NotOffered, match="no text prompts; it takes point"):
        talk.core.prompt(1, object_prompt(text="zebra"))


# what a reply is to the one who asked


def test_a_failure_is_raised_as_the_server_meant_it():
    failed = types.Failed.of(3, errors.NothingToUndo("The session is at its beginning."))
    with pytest.raises(errors.NothingToUndo, match="at its beginning"):
        core.read(failed, core.SessionCore(MODEL).read_standing)


def test_a_superseded_command_says_by_which():
    with pytest.raises(errors.Superseded, match="Command 5 was served in place of 3"):
        core.read(types.SupersededBy(3, 5), core.SessionCore(MODEL).read_prediction)


def test_an_answer_of_the_wrong_kind_is_no_answer():
    with pytest.raises(errors.UnknownReply):
        core.read(types.Done(3), core.SessionCore(MODEL).read_prediction)
    with pytest.raises(errors.UnknownReply):
        core.read(masks(3), core.SessionCore(MODEL).read_prediction)


def test_the_end_of_the_stream_is_raised():
    with pytest.raises(errors.Disconnected):
        core.read(core.lost("here:1"), core.read_done)


def test_undo_of_the_first_prompt_leaves_no_mask():
    assert core.read(masks(3, removed=[1]), core.SessionCore(MODEL).read_standing) is None


def test_segments_are_read_as_predictions():
    found = core.read(segments(3), core.SessionCore(MODEL).read_segments)
    assert [(one.object_id, one.label, one.is_thing) for one in found] == [
        (1, "cat", True),
        (2, "grass", False),
    ]
    assert found[0].model_id == MODEL.model_id
    with pytest.raises(errors.UnknownReply):
        core.read(types.Done(3), core.SessionCore(MODEL).read_segments)


def test_segments_are_no_objects_and_stand_nowhere():
    talk = Talk()
    talk.answered(talk.core.open_image("test"))
    talk.answered(talk.core.everything(types.Question()))
    assert talk.core.predictions == {}


@pytest.mark.parametrize(
    ("offered", "question", "says"),
    [
        ({"commands": frozenset()}, types.Question(), "does not offer 'everything'"),
        ({"prompts": frozenset()}, types.Question(vocabulary=("cat",)), "no text prompts"),
    ],
)
def test_a_question_that_the_server_cannot_answer_is_not_numbered(offered, question, says):
    talk = Talk(replace(MODEL, capabilities=replace(MODEL.capabilities, **offered)))
    with pytest.raises(errors.NotOffered, match=says):
        talk.core.everything(question)
    assert talk.core.open_image("test").seq == 1


def test_an_example_goes_along_with_what_else_is_said():
    example = types.Example(types.ImageBytes(b"photo"), MaskPrompt(np.ones((2, 2), np.bool_)))
    (one,) = Talk().core.prompt(1, HERE, example).objects
    assert (one.prompt, one.example) == (HERE, example)


@pytest.mark.parametrize(("name", "says"), [("track", "does not offer"), ("undo", "too old")])
def test_what_is_not_offered_is_told_whose_lack_it_is(name, says):
    assert says in core.not_offered(name, MODEL.capabilities).message


def test_frames_and_following_are_numbered_like_all_else(talk):
    image = types.ImageBytes(b"frame")
    assert talk.core.frame(0, image) == types.Frame(3, 0, image)
    assert talk.core.propagate(2, 1) == types.Propagate(4, 2, 1)
    assert talk.core.stop() == types.Stop(5)
    assert talk.core.open_video("test") == types.OpenVideo(6, "test")
    assert talk.core.prompt(1, HERE, frame=2).frame == 2


def test_another_frame_changes_nothing_that_stands_and_nor_does_following(talk):
    talk.answered(talk.core.prompt(1, HERE))
    before = talk.core.predictions
    talk.answered(talk.core.frame(0, types.ImageBytes(b"frame")))
    talk.answered(talk.core.propagate(0, 0), masks(5, 1, 2))
    assert talk.core.predictions == before


def test_a_followed_frame_is_read_as_its_objects():
    found = core.SessionCore(MODEL).read_frame(masks(3, 1, 7))
    assert {number: one.object_id for number, one in found.items()} == {1: 1, 7: 7}
    assert core.SessionCore(MODEL).read_frame(masks(3)) == {}


def test_a_video_that_is_attached_to_tells_how_many_frames_it_has(talk):
    card = types.SessionCard("session-1", MODEL.model_id, "a" * 64, SIZE, last_seq=2, n_frames=5)
    talk.answered(talk.core.attach("session-1"), types.Attached(3, card, MODEL))
    assert talk.core.n_frames == 5
