from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from seem_wire import errors, types
from seem_wire.prompts import MaskPrompt, ObjectPrompt, Point
from seem_wire.rle import Rle
from seem_wire.v1 import seem_pb2 as pb

CLICK = ObjectPrompt(points=(Point(3, 4),))
NEGATIVE = ObjectPrompt(points=(Point(3, 4, positive=False),))
KEY = types.ImageKey("0" * 64)
EXAMPLE = types.Example(KEY, MaskPrompt(np.ones((2, 2), np.bool_)))
VALUES = [
    value
    for value in vars(types).values()
    if dataclasses.is_dataclass(value) and value.__module__ == types.__name__
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_every_value_is_frozen_and_slotted(value):
    assert value.__dataclass_params__.frozen
    assert "__slots__" in vars(value)


def test_equal_commands_are_equal_values():
    assert types.Undo(3) == types.Undo(3) != types.Redo(3)
    assert types.SetImage(1, KEY) == types.SetImage(1, types.ImageKey("0" * 64))


def test_a_number_beyond_the_last_is_refused_with_what_to_do():
    types.Undo(2**63 - 1)
    for seq in (2**63, 2**64 - 1):
        with pytest.raises(errors.BadSequence, match="open a new session"):
            types.Undo(seq)


@pytest.mark.parametrize("seq", [0, -1, types.MAX_SEQ + 1])
@pytest.mark.parametrize(
    "make",
    [
        types.OpenImage,
        lambda seq: types.SetImage(seq, KEY),
        lambda seq: types.Prompt(seq, (types.PromptedObject(1, CLICK),)),
        types.Undo,
        lambda seq: types.RemoveObject(seq, 1),
        lambda seq: types.Choose(seq, 1, 0),
        types.Release,
    ],
)
def test_a_command_without_a_proper_number_is_refused(make, seq):
    with pytest.raises(errors.BadSequence, match=str(seq)):
        make(seq)


@pytest.mark.parametrize("object_id", [0, -4, types.MAX_OBJECT_ID + 1])
def test_an_object_id_out_of_range_is_refused(object_id):
    with pytest.raises(errors.InvalidValue, match=str(object_id)):
        types.PromptedObject(object_id, CLICK)
    with pytest.raises(errors.InvalidValue, match=str(object_id)):
        types.RemoveObject(1, object_id)
    with pytest.raises(errors.InvalidValue, match=str(object_id)):
        types.Choose(1, object_id, 0)


@pytest.mark.parametrize("hypothesis", [-1, types.MAX_HYPOTHESIS + 1])
def test_a_hypothesis_out_of_range_is_refused(hypothesis):
    with pytest.raises(errors.InvalidValue, match=str(hypothesis)):
        types.Choose(1, 1, hypothesis)


def test_a_prompt_that_says_nothing_is_refused():
    with pytest.raises(errors.PromptEmpty, match="object 7"):
        types.PromptedObject(7, ObjectPrompt())
    with pytest.raises(errors.PromptEmpty, match="no object"):
        types.Prompt(1, ())


def test_an_example_alone_says_enough():
    assert types.PromptedObject(7, ObjectPrompt(), EXAMPLE).has_positive


def test_an_example_of_nothing_is_refused():
    with pytest.raises(errors.MaskEmpty):
        types.Example(KEY, MaskPrompt(np.zeros((2, 2), np.bool_)))


def test_naming_an_object_twice_in_one_prompt_is_refused():
    with pytest.raises(errors.InvalidValue, match="twice"):
        types.Prompt(1, (types.PromptedObject(2, CLICK), types.PromptedObject(2, NEGATIVE)))


def test_a_session_may_hear_a_negative_click_alone_but_a_single_request_may_not():
    objects = (types.PromptedObject(1, CLICK), types.PromptedObject(2, NEGATIVE))
    types.Prompt(1, objects)
    with pytest.raises(errors.OnlyNegativePrompts, match="Object 2"):
        types.Segment(KEY, objects)


def test_an_image_of_no_bytes_is_refused():
    with pytest.raises(errors.ImageEmpty):
        types.ImageBytes(b"")


@pytest.mark.parametrize("key", ["", "0" * 63, "0" * 65, "A" * 64, "0" * 64 + "\n"])
def test_a_content_hash_of_another_form_is_refused(key):
    with pytest.raises(errors.InvalidValue, match="64"):
        types.ImageKey(key)


def test_the_hash_of_bytes_names_them():
    key = types.content_hash(b"photo")
    assert types.ImageKey(key).content_hash == key
    assert key != types.content_hash(b"photo ")


def test_an_images_bytes_stay_out_of_logs():
    assert "secret" not in repr(types.SetImage(1, types.ImageBytes(b"secret")))


@pytest.mark.parametrize("client", ["x" * 257, "\udc00"])
def test_a_client_name_that_no_log_should_hold_is_refused(client):
    with pytest.raises(errors.InvalidValue):
        types.OpenImage(1, client)


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan")])
def test_a_score_out_of_range_is_refused(score):
    with pytest.raises(errors.InvalidValue, match="score"):
        types.ObjectMask(1, Rle(2, 2, "4"), score, None, 0)


@pytest.mark.parametrize("ms", [-1.0, float("nan"), float("inf")])
def test_an_impossible_time_is_refused(ms):
    with pytest.raises(errors.InvalidValue):
        types.Timings(decode_ms=ms)


def test_a_refusal_becomes_the_same_error_on_the_other_side():
    failed = types.Failed.of(5, errors.Overloaded("64 sessions are open.", retry_after_ms=250))
    error = failed.to_error()
    assert (failed.seq, failed.code, failed.fault) == (5, "OVERLOADED", errors.Fault.CAPACITY)
    assert isinstance(error, errors.Overloaded)
    assert error.retry_after_ms == 250


@pytest.mark.parametrize("names", [(), ("cat", "cat"), ("\ud800",)])
def test_a_vocabulary_that_means_nothing_is_refused(names):
    with pytest.raises(errors.InvalidValue):
        types.Question(vocabulary=names)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(errors.InvalidValue, match="threshold"):
        types.Question(threshold=threshold)


def test_a_request_asks_for_objects_or_for_everything():
    image = types.ImageBytes(b"photo")
    types.Segment(image, question=types.Question())
    with pytest.raises(errors.PromptEmpty):
        types.Segment(image)


def test_the_names_of_commands_are_those_of_the_proto():
    kinds = {field.name for field in pb.Command.DESCRIPTOR.oneofs_by_name["kind"].fields}
    subjects = {
        f"open_{field.name}" for field in pb.Open.DESCRIPTOR.oneofs_by_name["subject"].fields
    }
    assert (kinds - {"open"}) | subjects == types.COMMAND_NAMES
