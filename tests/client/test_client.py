from __future__ import annotations

import numpy as np
import pytest
from scripted_server import MODEL, SIZE, TIMINGS, obey, object_mask, scripted_server, segments

import seem_client
from seem_client._waiting import Patience
from seem_wire import errors, types

PIXELS = np.zeros((*SIZE, 3), np.uint8)
OTHER = np.ones((2, 3, 3), np.uint8)


def segmented(request):
    objects = tuple(object_mask(one.object_id) for one in request.objects)
    return types.Segmented("a" * 64, SIZE, objects, TIMINGS)


def forgetful(seen):
    """A server that knows no image by its hash; `seen` gets the images that it was offered."""

    def answer(command):
        if isinstance(command, types.SetImage):
            seen.append(command.image)
            if isinstance(command.image, types.ImageKey):
                return types.Failed.of(command.seq, errors.ImageUnknown("Never seen."))
        return obey(command)

    return answer


def test_it_knows_what_the_server_runs():
    with scripted_server() as address, seem_client.connect(address) as client:
        assert client.model() == MODEL


def test_no_server_is_told_with_what_to_do():
    with pytest.raises(
        errors.Disconnected, match="start the server, or check host and port"
    ) as caught:
        seem_client.connect("127.0.0.1:1")
    assert caught.value.fault is errors.Fault.CAPACITY


def test_a_silent_server_is_given_up():
    with scripted_server(lambda _: None) as address, seem_client.connect(address) as client:
        client._patience = Patience(0.1)  # only now: a busy machine takes its time to connect
        with pytest.raises(errors.DeadlineExceeded, match=r"within 0\.1 s"):
            client.open(PIXELS)


def test_an_image_that_the_server_does_not_know_is_sent_whole():
    seen = []
    with scripted_server(forgetful(seen)) as address, seem_client.connect(address) as client:
        for _ in range(2):
            client.open(PIXELS).close()
    assert [type(image).__name__ for image in seen] == ["ImageBytes", "ImageKey", "ImageBytes"]


def test_an_image_that_the_server_knows_is_not_sent_again():
    seen = []

    def answer(command):
        seen.extend([command.image] if isinstance(command, types.SetImage) else [])
        return obey(command)

    with scripted_server(answer) as address, seem_client.connect(address) as client:
        for _ in range(2):
            client.open(PIXELS).close()
    assert isinstance(seen[1], types.ImageKey)


def test_an_image_that_the_server_refuses_leaves_no_session_behind():
    said = []

    def answer(command):
        said.append(type(command))
        if isinstance(command, types.SetImage):
            return types.Failed.of(command.seq, errors.ImageUnreadable("No image."))
        return obey(command)

    with (
        scripted_server(answer) as address,
        seem_client.connect(address) as client,
        pytest.raises(errors.ImageUnreadable),
    ):
        client.open(b"no image")
    assert said[-1] is types.Release


def test_one_image_needs_no_session():
    with (
        scripted_server(segment=segmented) as address,
        seem_client.connect(address) as client,
    ):
        prediction = client.segment(PIXELS, points=[(1, 1)], object_id=3)
    assert (prediction.object_id, prediction.area) == (3, 2)


def test_a_refused_call_raises_what_the_server_said():
    refusal = errors.OnlyNegativePrompts("Object 1 has only negative prompts.")
    with (
        scripted_server(segment=lambda _: refusal) as address,
        seem_client.connect(address) as client,
        pytest.raises(errors.OnlyNegativePrompts, match="only negative"),
    ):
        client.segment(PIXELS, points=[(1, 1)])


def test_a_call_that_a_full_server_refuses_is_made_again():
    refusals = [errors.Overloaded("Full.", retry_after_ms=1)] * 2

    def answer(request):
        return refusals.pop() if refusals else segmented(request)

    with scripted_server(segment=answer) as address, seem_client.connect(address) as client:
        assert client.segment(PIXELS, points=[(1, 1)]).area == 2
    assert refusals == []


def test_whoever_would_not_wait_is_told_at_once():
    refusal = errors.Overloaded("Full.", retry_after_ms=1)
    with (
        scripted_server(segment=lambda _: refusal) as address,
        seem_client.connect(address, retry_s=0) as client,
        pytest.raises(errors.Overloaded),
    ):
        client.segment(PIXELS, points=[(1, 1)])


def test_closing_closes_the_sessions_and_may_be_repeated():
    with scripted_server() as address, seem_client.connect(address) as client:
        session = client.open(PIXELS)
        client.close()
        with pytest.raises(errors.UnknownSession, match="closed"):
            session.click(1, 1)


def test_a_closed_client_says_so():
    with scripted_server() as address:
        client = seem_client.connect(address)
        client.close()
        for ask in (client.model, lambda: client.open(PIXELS), lambda: client.attach("session-1")):
            with pytest.raises(errors.Disconnected, match="client is closed"):
                ask()


def test_an_address_without_a_port_is_refused():
    with pytest.raises(errors.InvalidValue):
        seem_client.connect("localhost")


def test_all_that_is_in_an_image_needs_no_session():
    asked = []

    def found(request):
        asked.append(request)
        return types.Segmented("a" * 64, SIZE, segments(1).segments, TIMINGS)

    with scripted_server(segment=found) as address, seem_client.connect(address) as client:
        both = client.everything(PIXELS, ["cat", "grass"], kind="semantic")
    assert [(one.object_id, one.label) for one in both] == [(1, "cat"), (2, "grass")]
    assert asked[0].question.vocabulary == ("cat", "grass")
    assert asked[0].objects == ()


def test_an_example_without_a_session_offers_both_images_by_their_hash():
    offered = []

    def forget_examples(request):
        (one,) = request.objects
        offered.append((type(request.image).__name__, type(one.example.image).__name__))
        if isinstance(one.example.image, types.ImageKey):
            return errors.ImageUnknown("Never seen.")
        return segmented(request)

    with (
        scripted_server(segment=forget_examples) as address,
        seem_client.connect(address) as client,
    ):
        for _ in range(2):
            assert client.segment(PIXELS, example=(OTHER, OTHER[:, :, 0])).area == 2
    assert offered == [
        ("ImageBytes", "ImageBytes"),
        ("ImageKey", "ImageKey"),
        ("ImageKey", "ImageBytes"),
    ]
