from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seem_wire import convert, errors, rle, types
from seem_wire.prompts import Box, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.validate import is_blank

CLICK = pb.ObjectPrompt(object_id=1, points=[pb.Point(x=3, y=4)])

# --- strategies: every value that the types allow

COORDINATES = st.floats(allow_nan=False, allow_infinity=False)
VERTICES = st.tuples(COORDINATES, COORDINATES)
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))
TEXTS = st.text(LETTERS, min_size=1, max_size=20).filter(lambda text: not is_blank(text))
IDS = st.integers(1, types.MAX_OBJECT_ID)
SHARES = st.floats(0, 1)
COUNTS = st.integers(0, 2**32 - 1)
SEQS = st.integers(1, types.MAX_SEQ)
FRAMES = st.integers(0, types.MAX_FRAME)
SIZES = st.tuples(st.integers(1, 10_000), st.integers(1, 10_000))
HASHES = st.binary(max_size=4).map(types.content_hash)
MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6))
MASK_PROMPTS = MASKS.filter(np.any).map(MaskPrompt)
BOXES = st.tuples(VERTICES, VERTICES).map(
    lambda corners: Box(*map(min, *corners), *map(max, *corners))
)
BOXES = BOXES.filter(lambda box: box.x0 < box.x1 and box.y0 < box.y1)
IMAGES = st.builds(types.ImageBytes, st.binary(min_size=1)) | st.builds(types.ImageKey, HASHES)
PROMPTS = st.builds(
    ObjectPrompt,
    points=st.lists(st.builds(Point, COORDINATES, COORDINATES, st.booleans()), max_size=3).map(
        tuple
    ),
    box=st.none() | BOXES,
    scribbles=st.lists(
        st.builds(Scribble, st.lists(VERTICES, min_size=1, max_size=3).map(tuple), st.booleans()),
        max_size=2,
    ).map(tuple),
    mask=st.none() | MASK_PROMPTS,
    text=st.none() | TEXTS,
    negative_boxes=st.lists(BOXES, max_size=2).map(tuple),
    lassos=st.lists(
        st.builds(Lasso, st.lists(VERTICES, min_size=3, max_size=5).map(tuple), st.booleans()),
        max_size=2,
    ).map(tuple),
).filter(lambda prompt: not prompt.is_empty)
EXAMPLES = st.builds(types.Example, IMAGES, MASK_PROMPTS)
OBJECTS = st.lists(
    st.builds(types.PromptedObject, IDS, PROMPTS, st.none() | EXAMPLES),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.object_id,
).map(tuple)
QUESTIONS = st.builds(
    types.Question,
    st.sampled_from(types.SegmentKind),
    vocabulary=st.none() | st.lists(TEXTS, min_size=1, max_size=3, unique=True).map(tuple),
    threshold=st.none() | SHARES,
)
SESSIONS = {"session_id": st.text(LETTERS, max_size=5)}
COMMANDS = st.one_of(
    st.builds(types.OpenImage, SEQS, TEXTS, **SESSIONS),
    st.builds(types.SetImage, SEQS, IMAGES, **SESSIONS),
    st.builds(
        *(types.Prompt, SEQS, OBJECTS, st.booleans(), st.booleans(), st.none() | FRAMES), **SESSIONS
    ),
    st.builds(types.OpenVideo, SEQS, TEXTS, **SESSIONS),
    st.builds(types.Frame, SEQS, FRAMES, IMAGES, **SESSIONS),
    st.builds(types.Propagate, SEQS, FRAMES, FRAMES, **SESSIONS),
    st.builds(types.Stop, SEQS, **SESSIONS),
    st.builds(types.Undo, SEQS, st.none() | IDS, **SESSIONS),
    st.builds(types.Redo, SEQS, st.none() | IDS, **SESSIONS),
    st.builds(types.Clear, SEQS, **SESSIONS),
    st.builds(types.RemoveObject, SEQS, IDS, **SESSIONS),
    st.builds(types.Release, SEQS, **SESSIONS),
    st.builds(types.Everything, SEQS, QUESTIONS, **SESSIONS),
    st.builds(types.Choose, SEQS, IDS, st.integers(0, types.MAX_HYPOTHESIS), **SESSIONS),
    st.builds(
        types.Attach,
        SEQS,
        TEXTS,
        st.integers(0, types.MAX_SEQ),
        st.booleans(),
        st.lists(SEQS, max_size=3).map(tuple),
        **SESSIONS,
    ),
)

DURATIONS = st.floats(0, 1e9)
TIMINGS = st.builds(types.Timings, DURATIONS, DURATIONS, DURATIONS, DURATIONS, DURATIONS)
HYPOTHESES = st.builds(
    types.Hypothesis, MASKS.map(rle.encode), SHARES, box=st.none() | BOXES, area=COUNTS
)
OBJECT_MASKS = st.builds(
    types.ObjectMask,
    IDS,
    MASKS.map(rle.encode),
    SHARES,
    box=st.none() | BOXES,
    area=COUNTS,
    label=st.none() | TEXTS,
    label_probability=st.none() | SHARES,
    round=COUNTS,
    changed=st.none() | BOXES,
    is_thing=st.none() | st.booleans(),
    presence=st.none() | SHARES,
    hypotheses=st.lists(HYPOTHESES, max_size=2).map(tuple),
)
ANSWERS = {
    "objects": st.lists(OBJECT_MASKS, max_size=2).map(tuple),
    "timings": TIMINGS,
    "cache_hit": st.booleans(),
    "model_id": TEXTS,
}
LIMITS = st.builds(types.Limits, *[COUNTS] * 7)
CARDS = st.builds(
    types.ModelCard,
    model_id=TEXTS,
    name=TEXTS,
    variant=TEXTS,
    capabilities=st.builds(
        types.Capabilities,
        prompts=st.frozensets(st.sampled_from(types.PromptKind)),
        commands=st.frozensets(TEXTS, max_size=3),
        limits=LIMITS,
    ),
    input_sizes=st.lists(SIZES, max_size=2).map(tuple),
    licences=st.lists(st.builds(types.Licence, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple),
    vocabulary=st.lists(TEXTS, max_size=2).map(tuple),
)
LEAVES = st.sampled_from(list(errors.BY_CODE.values()))
ERRORS = st.builds(
    lambda leaf, message, ms: leaf(message, retry_after_ms=ms), LEAVES, TEXTS, st.none() | COUNTS
)
SESSION_CARDS = st.builds(
    types.SessionCard,
    TEXTS,
    TEXTS,
    HASHES,
    SIZES,
    st.lists(IDS, max_size=2).map(tuple),
    COUNTS,
    COUNTS,
    SEQS,
)
REPLIES = st.one_of(
    st.builds(types.Opened, SEQS, TEXTS, CARDS),
    st.builds(
        types.Attached, SEQS, SESSION_CARDS, CARDS, st.lists(OBJECT_MASKS, max_size=2).map(tuple)
    ),
    st.builds(types.ImageSet, SEQS, HASHES, SIZES, st.booleans(), TIMINGS),
    st.builds(
        types.Masks,
        SEQS,
        removed_object_ids=st.lists(IDS).map(tuple),
        frame=st.none() | FRAMES,
        **ANSWERS,
    ),
    st.builds(types.Segments, SEQS, ANSWERS["objects"], TIMINGS, st.booleans(), TEXTS),
    st.builds(types.Done, SEQS),
    st.builds(types.Failed.of, SEQS, ERRORS),
    st.builds(types.SupersededBy, SEQS, SEQS),
)
SESSION_CARDS = st.builds(
    types.SessionCard,
    session_id=TEXTS,
    model_id=TEXTS,
    content_hash=st.none() | HASHES,
    size=st.none() | SIZES,
    object_ids=st.lists(IDS).map(tuple),
    undo_depth=COUNTS,
    redo_depth=COUNTS,
    last_seq=SEQS,
    n_frames=COUNTS,
)


def plain(value):
    """The value with its arrays as tuples, so that it compares."""
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if dataclasses.is_dataclass(value):
        parts = (plain(getattr(value, field.name)) for field in dataclasses.fields(value))
        return (type(value), *parts)
    return value


# --- there and back


@given(COMMANDS)
def test_a_command_comes_back_as_it_was(command):
    sent = convert.command_to_proto(command).SerializeToString()
    back = convert.command_from_proto(pb.Command.FromString(sent))
    assert plain(back) == plain(command)


@given(REPLIES)
def test_a_reply_comes_back_as_it_was(reply):
    sent = convert.reply_to_proto(reply).SerializeToString()
    assert plain(convert.reply_from_proto(pb.Reply.FromString(sent))) == plain(reply)


@given(IMAGES, OBJECTS)
def test_a_request_without_a_session_comes_back_as_it_was(image, objects):
    objects = tuple(one for one in objects if one.has_positive)
    if objects:
        request = types.Segment(image, objects)
        back = convert.segment_from_proto(convert.segment_to_proto(request))
        assert plain(back) == plain(request)


@given(IMAGES, QUESTIONS)
def test_a_question_without_a_session_comes_back_as_it_was(image, question):
    request = types.Segment(image, question=question)
    assert convert.segment_from_proto(convert.segment_to_proto(request)) == request


@given(st.builds(types.Segmented, HASHES, SIZES, **ANSWERS))
def test_the_answer_without_a_session_comes_back_as_it_was(reply):
    assert convert.segmented_from_proto(convert.segmented_to_proto(reply)) == reply


@given(CARDS)
def test_a_model_card_comes_back_as_it_was(card):
    assert convert.model_card_from_proto(convert.model_card_to_proto(card)) == card


@given(SESSION_CARDS)
def test_a_session_card_comes_back_as_it_was(card):
    assert convert.session_card_from_proto(convert.session_card_to_proto(card)) == card


@given(ERRORS)
def test_an_error_comes_back_as_it_was(error):
    back = convert.error_from_bytes(convert.error_to_bytes(error))
    assert type(back) is type(error)
    assert (back.message, back.retry_after_ms) == (error.message, error.retry_after_ms)


# --- what a forgetful client leaves out


def test_an_absent_sign_means_positive_and_an_absent_predict_means_yes():
    scribble = pb.Scribble(xy=[1, 2])
    told = pb.ObjectPrompt(object_id=1, points=[pb.Point(x=3, y=4)], scribbles=[scribble])
    command = convert.command_from_proto(pb.Command(seq=1, prompt=pb.Prompt(objects=[told])))
    assert command.predict
    assert command.objects[0].prompt.points[0].positive
    assert command.objects[0].prompt.scribbles[0].positive


def test_an_absent_sign_of_a_lasso_means_positive_and_nobody_asks_for_hypotheses():
    told = pb.ObjectPrompt(object_id=1, lassos=[pb.Lasso(xy=[1, 2, 3, 4, 1, 4])])
    command = convert.command_from_proto(pb.Command(seq=1, prompt=pb.Prompt(objects=[told])))
    assert command.objects[0].prompt.lassos == (Lasso(((1, 2), (3, 4), (1, 4))),)
    assert not command.hypotheses


def test_an_absent_kind_of_segments_means_panoptic_and_the_rest_is_the_models_own():
    command = convert.command_from_proto(pb.Command(seq=1, everything=pb.Everything()))
    assert command == types.Everything(1, types.Question(types.SegmentKind.PANOPTIC, None, None))


def test_an_absent_frame_means_no_video_and_the_first_one_is_told():
    about_an_image = pb.Command(seq=1, prompt=pb.Prompt(objects=[CLICK]))
    assert convert.command_from_proto(about_an_image).frame is None
    about_the_first = pb.Command(seq=1, prompt=pb.Prompt(objects=[CLICK], frame=0))
    assert convert.command_from_proto(about_the_first).frame == 0
    assert convert.reply_from_proto(pb.Reply(seq=1, masks=pb.Masks())).frame is None
    assert convert.reply_from_proto(pb.Reply(seq=1, masks=pb.Masks(frame=0))).frame == 0


# --- hostile input


def refusal(**kind):
    """The code with which a command is refused."""
    reply = convert.command_from_proto(pb.Command(seq=9, **kind), types.Limits(max_objects=2))
    assert isinstance(reply, types.Failed), reply
    assert reply.seq == 9
    return reply.code


def prompted(**parts):
    return {"prompt": pb.Prompt(objects=[pb.ObjectPrompt(**{"object_id": 1, **parts})])}


NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ({}, "UNKNOWN_COMMAND"),
        ({"open": pb.Open()}, "UNKNOWN_COMMAND"),
        ({"open": pb.Open(image=pb.ImageSubject(), client="x" * 999)}, "INVALID_VALUE"),
        ({"set_image": pb.SetImage()}, "IMAGE_EMPTY"),
        ({"set_image": pb.SetImage(image=pb.Image(encoded=b""))}, "IMAGE_EMPTY"),
        ({"set_image": pb.SetImage(image=pb.Image(content_hash="../etc"))}, "INVALID_VALUE"),
        ({"prompt": pb.Prompt()}, "PROMPT_EMPTY"),
        ({"prompt": pb.Prompt(objects=[CLICK, CLICK])}, "INVALID_VALUE"),
        ({"prompt": pb.Prompt(objects=[CLICK] * 3)}, "LIMIT_EXCEEDED"),
        (prompted(), "PROMPT_EMPTY"),
        (prompted(object_id=0, text="cat"), "INVALID_VALUE"),
        (prompted(object_id=2**32 - 1, text="cat"), "INVALID_VALUE"),
        (prompted(text=""), "PROMPT_EMPTY"),
        (prompted(text="x" * 513), "LIMIT_EXCEEDED"),
        (prompted(points=[pb.Point(x=NAN, y=1)]), "COORDINATE_NOT_FINITE"),
        (prompted(points=[pb.Point()] * 4097), "LIMIT_EXCEEDED"),
        (prompted(box=pb.Box(x0=1, y0=1, x1=1, y1=2)), "BOX_WITHOUT_AREA"),
        (prompted(scribbles=[pb.Scribble(xy=[1, 2, 3])]), "INVALID_VALUE"),
        (prompted(scribbles=[pb.Scribble()]), "PROMPT_EMPTY"),
        (prompted(scribbles=[pb.Scribble(xy=[0, 0] * 4097)]), "LIMIT_EXCEEDED"),
        (prompted(negative_boxes=[pb.Box(x0=1, y0=1, x1=1, y1=2)]), "BOX_WITHOUT_AREA"),
        (prompted(negative_boxes=[pb.Box(x1=1, y1=2)] * 2049), "LIMIT_EXCEEDED"),
        (prompted(lassos=[pb.Lasso(xy=[1, 2, 3, 4, 5])]), "INVALID_VALUE"),
        (prompted(lassos=[pb.Lasso(xy=[1, 2, 3, 4])]), "LASSO_WITHOUT_AREA"),
        (prompted(lassos=[pb.Lasso(xy=[1, 2, 3, 4, 5, NAN])]), "COORDINATE_NOT_FINITE"),
        (prompted(lassos=[pb.Lasso(xy=[0, 0] * 4097)]), "LIMIT_EXCEEDED"),
        (prompted(mask=pb.Rle()), "MASK_UNREADABLE"),
        (prompted(mask=pb.Rle(height=2, width=2, counts="5")), "MASK_UNREADABLE"),
        (prompted(mask=pb.Rle(height=2, width=2, counts="4")), "MASK_EMPTY"),
        (prompted(mask=pb.Rle(height=2**32 - 1, width=2**32 - 1, counts="0")), "LIMIT_EXCEEDED"),
        (
            prompted(mask=pb.Rle(height=9, width=9, counts="0" * (4 * 1024**2 + 1))),
            "LIMIT_EXCEEDED",
        ),
        (prompted(example=pb.Example()), "IMAGE_EMPTY"),
        ({"open": pb.Open(video=pb.VideoSubject(), client="x" * 999)}, "INVALID_VALUE"),
        ({"prompt": pb.Prompt(objects=[CLICK], frame=2**31)}, "INVALID_VALUE"),
        ({"frame": pb.Frame(index=1)}, "IMAGE_EMPTY"),
        ({"frame": pb.Frame(index=1, image=pb.Image(content_hash="../etc"))}, "INVALID_VALUE"),
        ({"frame": pb.Frame(index=2**31, image=pb.Image(encoded=b"x"))}, "INVALID_VALUE"),
        ({"propagate": pb.Propagate(frame=2**31)}, "INVALID_VALUE"),
        ({"propagate": pb.Propagate(source=2**32 - 1)}, "INVALID_VALUE"),
        ({"remove_object": pb.RemoveObject()}, "INVALID_VALUE"),
        ({"choose": pb.Choose()}, "INVALID_VALUE"),
        ({"choose": pb.Choose(object_id=1, hypothesis=2**32 - 1)}, "INVALID_VALUE"),
        ({"everything": pb.Everything(kind=99)}, "INVALID_VALUE"),
        ({"everything": pb.Everything(vocabulary=["cat", " "])}, "PROMPT_EMPTY"),
        ({"everything": pb.Everything(vocabulary=["cat", "cat"])}, "INVALID_VALUE"),
        ({"everything": pb.Everything(vocabulary=map(str, range(257)))}, "LIMIT_EXCEEDED"),
        ({"everything": pb.Everything(vocabulary=["x" * 513])}, "LIMIT_EXCEEDED"),
        ({"everything": pb.Everything(threshold=1.5)}, "INVALID_VALUE"),
        ({"everything": pb.Everything(threshold=NAN)}, "INVALID_VALUE"),
    ],
)
def test_a_faulty_command_is_refused_by_its_number(kind, code):
    assert refusal(**kind) == code


def test_a_command_of_the_largest_number_of_the_wire_is_refused_by_it():
    refused = convert.command_from_proto(pb.Command(seq=2**64 - 1, undo=pb.Undo()))
    assert (refused.seq, refused.code) == (2**64 - 1, "BAD_SEQUENCE")
    assert "new session" in refused.hint


def test_a_command_without_a_number_is_refused():
    assert convert.command_from_proto(pb.Command(undo=pb.Undo())).code == "BAD_SEQUENCE"


def test_a_command_of_a_newer_client_is_refused_as_unknown():
    newer = b"\x08\x09" + b"\xc2\x01\x00"  # seq = 9; field 24, empty, is yet to come
    reply = convert.command_from_proto(pb.Command.FromString(newer))
    assert (reply.seq, reply.code) == (9, "UNKNOWN_COMMAND")


def test_a_reply_of_a_newer_server_is_refused_as_unknown():
    with pytest.raises(errors.UnknownReply, match="command 9"):
        convert.reply_from_proto(pb.Reply.FromString(b"\x08\x09" + b"\x92\x01\x00"))


def test_the_limit_on_mask_pixels_holds_for_all_masks_together():
    full = rle.encode(np.ones((10, 10), np.bool_))
    mask = pb.Rle(height=10, width=10, counts=full.counts)
    objects = [pb.ObjectPrompt(object_id=number, mask=mask) for number in (1, 2)]
    command = pb.Command(seq=1, prompt=pb.Prompt(objects=objects))
    for limit, outcome in ((200, types.Prompt), (199, types.Failed)):
        reply = convert.command_from_proto(command, types.Limits(max_mask_pixels=limit))
        assert isinstance(reply, outcome)


def test_the_limit_on_mask_pixels_holds_for_examples_too():
    full = rle.encode(np.ones((10, 10), np.bool_))
    mask = pb.Rle(height=10, width=10, counts=full.counts)
    shown = pb.Example(image=pb.Image(encoded=b"photo"), mask=mask)
    one = pb.ObjectPrompt(object_id=1, mask=mask, example=shown)
    command = pb.Command(seq=1, prompt=pb.Prompt(objects=[one]))
    for limit, outcome in ((200, types.Prompt), (199, types.Failed)):
        reply = convert.command_from_proto(command, types.Limits(max_mask_pixels=limit))
        assert isinstance(reply, outcome)


def test_objects_and_everything_are_not_asked_for_at_once():
    request = pb.SegmentRequest(
        image=pb.Image(encoded=b"photo"), objects=[CLICK], everything=pb.Everything()
    )
    with pytest.raises(errors.InvalidValue, match="not for both"):
        convert.segment_from_proto(request)


def test_an_image_over_the_limit_is_refused():
    request = pb.SegmentRequest(image=pb.Image(encoded=b"12345"), objects=[CLICK])
    convert.segment_from_proto(request, types.Limits(max_image_bytes=5))
    with pytest.raises(errors.ImageTooLarge, match="takes 4"):
        convert.segment_from_proto(request, types.Limits(max_image_bytes=4))


def test_a_prompt_kind_that_the_client_does_not_know_is_left_out():
    offered = pb.Capabilities(prompts=["point", "telepathy"])
    card = convert.model_card_from_proto(pb.ModelCard(capabilities=offered))
    assert card.capabilities.prompts == {types.PromptKind.POINT}


def test_an_unreadable_error_is_still_an_error():
    assert isinstance(convert.error_from_bytes(b"\xff\xff"), errors.Internal)


@given(st.binary())
def test_any_bytes_that_parse_give_a_command_or_a_refusal(data):
    try:
        message = pb.Command.FromString(data)
    except convert.DecodeError:
        return
    assert isinstance(convert.command_from_proto(message), types.Command | types.Failed)


@given(COMMANDS, st.data())
def test_a_damaged_command_gives_a_command_or_a_refusal(command, data):
    damaged = bytearray(convert.command_to_proto(command).SerializeToString())
    for _ in range(3):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = pb.Command.FromString(bytes(damaged))
    except convert.DecodeError:
        return
    assert isinstance(convert.command_from_proto(message), types.Command | types.Failed)


@given(REPLIES, st.data())
def test_a_damaged_reply_gives_a_reply_or_a_typed_error(reply, data):
    damaged = bytearray(convert.reply_to_proto(reply).SerializeToString())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert convert.reply_from_proto(pb.Reply.FromString(bytes(damaged)))
    except (convert.DecodeError, errors.SeemError):
        return
