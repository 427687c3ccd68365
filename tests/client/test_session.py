from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from scripted_server import HANG_UP, LEAVE, SIZE, masks, obey, scripted_server

import seem_client
from seem_client._waiting import Patience
from seem_wire import errors, types

PIXELS = np.zeros((*SIZE, 3), np.uint8)
OTHER = np.ones((2, 3, 3), np.uint8)


@contextmanager
def session(answer=obey, **options):
    with (
        scripted_server(answer) as address,
        seem_client.connect(address, **options) as client,
        client.open(PIXELS) as opened,
    ):
        yield opened


def on_prompt(reply):
    """A good server, but for prompts."""
    return lambda command: reply(command) if isinstance(command, types.Prompt) else obey(command)


def test_it_has_the_name_and_the_size_that_the_server_gave():
    with session() as opened:
        assert (opened.id, opened.size) == ("session-1", SIZE)


def test_a_session_that_is_refused_says_so_rather_than_that_it_has_no_image():
    def full(command):
        if isinstance(command, types.OpenImage):
            return types.Failed.of(command.seq, errors.Overloaded("Full.", retry_after_ms=250))
        return types.Failed.of(command.seq, errors.UnknownSession("No session."))

    with pytest.raises(errors.Overloaded) as caught, session(full, retry_s=0):
        pass
    assert caught.value.retry_after_ms == 250


def busy(kind, n_refusals=2):
    """A server without room for the first commands of a kind; and what it was asked of them."""
    asked = []

    def answer(command):
        if not isinstance(command, kind):
            return obey(command)
        asked.append(command.seq)
        if len(asked) > n_refusals:
            return obey(command)
        return types.Failed.of(command.seq, errors.Overloaded("Full.", retry_after_ms=1))

    return answer, asked


CALLS = [
    (types.OpenImage, lambda opened: opened.size),
    (types.SetImage, lambda opened: opened.size),
    (types.Prompt, lambda opened: opened.click(1, 1)),
    (types.Prompt, lambda opened: opened.example(OTHER, OTHER[:, :, 0])),
    (types.Choose, lambda opened: opened.choose(0)),
    (types.Undo, lambda opened: opened.undo()),
    (types.Redo, lambda opened: opened.redo()),
    (types.Everything, lambda opened: opened.everything()),
    (types.Clear, lambda opened: opened.clear()),
    (types.RemoveObject, lambda opened: opened.remove(1)),
]


@pytest.mark.parametrize(("kind", "call"), CALLS)
def test_what_a_full_server_refuses_is_said_again_under_new_numbers(kind, call):
    answer, asked = busy(kind)
    with session(answer) as opened:
        call(opened)
    assert len(asked) == len(set(asked)) == 3


def test_a_refusal_reaches_whoever_does_not_wait_or_has_waited_long_enough():
    answer, asked = busy(types.Prompt, n_refusals=1000)
    with session(answer, retry_s=0.05) as opened:
        with pytest.raises(errors.Overloaded):
            opened.submit_click(1, 1).result(5)
        assert len(asked) == 1
        with pytest.raises(errors.Overloaded):
            opened.click(1, 1)
        assert len(asked) > 2
        opened._patience = Patience(retry_s=0)
        del asked[:]
        with pytest.raises(errors.Overloaded):
            opened.click(1, 1)
        assert len(asked) == 1


def test_whoever_pauses_is_told_when_the_session_is_closed():
    refused = threading.Event()

    def answer(command):
        if isinstance(command, types.Prompt):
            refused.set()
            return types.Failed.of(command.seq, errors.Overloaded("Full.", retry_after_ms=60_000))
        return obey(command)

    with session(answer, retry_s=100, timeout_s=200) as opened, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(opened.click, 1, 1)
        assert refused.wait(5)
        opened.close()
        with pytest.raises(errors.Overloaded):
            waiting.result(5)


def test_a_prompt_is_answered_by_a_prediction_that_stands():
    with session() as opened:
        prediction = opened.click(1, 1)
        assert prediction.mask.shape == SIZE
        assert opened.predictions[1].area == prediction.area


def test_undo_and_redo_give_what_stands_and_clear_gives_nothing():
    with session() as opened:
        opened.click(1, 1)
        assert opened.undo().area == opened.redo().area == 2
        assert opened.clear() is None
        assert opened.predictions == {}


def test_a_removed_object_stands_no_more():
    with session() as opened:
        opened.click(1, 1)
        opened.click(1, 1, object_id=2)
        opened.remove(1)
        assert set(opened.predictions) == {2}


def test_a_refused_prompt_raises_and_the_session_goes_on():
    refusal = errors.OnlyNegativePrompts("Nothing positive.")
    asked = []

    def reply(command):
        asked.append(command.seq)
        return obey(command) if len(asked) > 1 else types.Failed.of(command.seq, refusal)

    with session(on_prompt(reply)) as opened:
        with pytest.raises(errors.OnlyNegativePrompts):
            opened.click(1, 1)
        assert opened.click(1, 1).area == 2


def test_rapid_clicks_do_not_wait_and_the_overtaken_ones_are_told():
    held = []

    def reply(command):
        held.append(command.seq)
        if len(held) < 3:
            return None
        last = held[-1]
        return [*(types.SupersededBy(seq, last) for seq in held[:-1]), masks(last, 1)]

    with session(on_prompt(reply)) as opened:
        *overtaken, last = [opened.submit_click(1, 1) for _ in range(3)]
        assert last.result(5).area == 2
        for future in overtaken:
            with pytest.raises(errors.Superseded):
                future.result(5)


def test_answers_find_their_callers_in_any_order():
    held = []

    def reply(command):
        held.append(command)
        return list(map(obey, reversed(held))) if len(held) == 2 else None

    with session(on_prompt(reply)) as opened:
        futures = [opened.submit_click(1, 1, object_id=number) for number in (1, 2)]
        assert [future.result(5).object_id for future in futures] == [1, 2]


def test_several_threads_may_share_it():
    with session() as opened, ThreadPoolExecutor(4) as pool:
        areas = pool.map(lambda number: opened.click(1, 1, object_id=number).area, range(1, 21))
        assert list(areas) == [2] * 20
        assert len(opened.predictions) == 20


def test_a_server_that_hangs_up_is_told_to_all_who_wait_with_what_to_do():
    with session(on_prompt(lambda _: HANG_UP), reconnect_s=0) as opened:
        with pytest.raises(errors.Disconnected, match=r"going down.*Check that a server is"):
            opened.click(1, 1)
        with pytest.raises(errors.Disconnected):
            opened.undo()


def test_a_server_that_says_goodbye_is_told_to_all_who_wait():
    def leave(command):
        return LEAVE if isinstance(command, types.Prompt) else obey(command)

    with (
        session(leave, reconnect_s=0) as opened,
        pytest.raises(errors.Disconnected, match="was lost"),
    ):
        opened.click(1, 1)


def test_a_server_that_vanishes_is_told_in_the_middle_of_a_call():
    with scripted_server(on_prompt(lambda _: None)) as address:
        client = seem_client.connect(address, reconnect_s=0)
        opened = client.open(PIXELS)
        waiting = opened.submit_click(1, 1)
    with pytest.raises(errors.Disconnected):
        waiting.result(5)
    client.close()


def test_no_reply_in_time_raises_and_the_session_goes_on():
    with session(on_prompt(lambda _: None)) as opened:
        opened._patience = Patience(0.01)  # only now: opening takes its time on a busy machine
        with pytest.raises(errors.DeadlineExceeded):
            opened.click(1, 1)
        opened._patience = Patience(30)
        assert opened.undo().area == 2


def test_a_future_may_be_cancelled_by_its_owner():
    with session(on_prompt(lambda _: None)) as opened:
        future = opened.submit_click(1, 1)
        assert future.cancel()
        assert opened.undo().area == 2


def test_closing_releases_it_once_and_nothing_can_be_said_after():
    said = []

    def answer(command):
        said.append(type(command))
        return obey(command)

    with session(answer) as opened:
        opened.close()
        opened.close()
        with pytest.raises(errors.UnknownSession):
            opened.click(1, 1)
    assert said.count(types.Release) == 1


def noting_examples(seen):
    """A server that knows no example by its hash; `seen` gets what it was shown."""

    def answer(command):
        if isinstance(command, types.Prompt):
            example = command.objects[0].example
            seen.append(type(example.image).__name__)
            if isinstance(example.image, types.ImageKey):
                return types.Failed.of(command.seq, errors.ImageUnknown("Never seen."))
        return obey(command)

    return answer


def test_an_example_is_offered_by_its_hash_once_it_was_sent():
    seen = []
    with session(noting_examples(seen)) as opened:
        for _ in range(2):
            assert (opened.example(OTHER, OTHER[:, :, 0])).area == 2
    assert seen == ["ImageBytes", "ImageKey", "ImageBytes"]


def test_a_submitted_example_is_sent_whole():
    seen = []
    with session(noting_examples(seen)) as opened:
        for _ in range(2):
            opened.submit_prompt(example=(OTHER, OTHER[:, :, 0])).result(20)
    assert seen == ["ImageBytes", "ImageBytes"]


def test_an_examples_image_over_the_servers_limit_is_not_sent():
    with session() as opened:
        with pytest.raises(errors.ImageTooLarge):
            opened.example(bytes(32 * 1024**2 + 1), OTHER[:, :, 0])
        assert (opened.click(1, 1)).area == 2


def test_everything_is_a_list_of_labelled_predictions_that_are_no_objects():
    with session() as opened:
        found = opened.everything()
        assert [(one.object_id, one.label) for one in found] == [(1, "cat"), (2, "grass")]
        assert found[0].mask.shape == SIZE
        assert opened.predictions == {}


def test_a_question_that_was_overtaken_says_so():
    def overtaken(command):
        if isinstance(command, types.Everything):
            return types.SupersededBy(command.seq, command.seq + 1)
        return obey(command)

    with session(overtaken) as opened, pytest.raises(errors.Superseded):
        opened.everything()
