"""The client and the whole server together, on the backend that draws simple masks."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fake_server import fake_client
from service_words import slow_backend, until

import seem_client
from seem_server.app import local_server
from seem_server.settings import Settings
from seem_wire import errors

PIXELS = np.full((64, 96, 3), 120, np.uint8)
ROUGH = np.zeros((64, 96), np.bool_)
ROUGH[20:40, 20:60] = True
OTHER = np.full((50, 30, 3), 90, np.uint8)
OTHER_MASK = np.eye(50, 30, dtype=np.bool_)


@pytest.fixture(scope="module")
def client():
    with fake_client() as connected:
        yield connected


@pytest.fixture
def session(client):
    with client.open(PIXELS) as opened:
        yield opened


@pytest.mark.parametrize(
    "say",
    [
        lambda s: s.click(40, 30),
        lambda s: s.box(20, 20, 60, 40),
        lambda s: s.scribble([(20, 20), (60, 40)]),
        lambda s: s.lasso([(20, 20), (60, 20), (40, 40)]),
        lambda s: s.mask(ROUGH),
        lambda s: s.text("zebra"),
        lambda s: s.prompt(points=[(40, 30, True), (1, 1, False)], box=(20, 20, 60, 40), text="x"),
    ],
)
def test_every_way_to_say_it_gives_a_mask_that_stands(session, say):
    prediction = say(session)
    assert prediction.mask.shape == session.size == (64, 96)
    assert prediction.area == int(prediction.mask.sum()) > 0
    assert 0 <= prediction.score <= 1
    assert prediction.label
    assert session.predictions[1].rle == prediction.rle


def test_nothing_is_left_within_negative_regions_and_they_add_up(session):
    session.box(0, 0, 96, 64)
    session.box(0, 0, 20, 64, positive=False)
    mask = session.lasso([(76, 0), (96, 0), (96, 20)], positive=False).mask
    assert not mask[:, :20].any()
    assert not mask[2, 80:].any()
    assert mask[30:60, 40:60].all()
    assert session.undo().mask[2, 80:].all()


def test_one_of_several_hypotheses_is_chosen_and_remembered_and_can_be_undone(session):
    clicked = session.click(40, 30, hypotheses=True)
    assert clicked.hypotheses[0].rle == clicked.rle
    assert len(clicked.hypotheses) > 2
    assert not session.click(40, 30, object_id=2).hypotheses
    chosen = session.choose(2)
    assert chosen.rle == clicked.hypotheses[2].rle != clicked.rle
    assert chosen.round == clicked.round == 1
    assert session.predictions[1].rle == chosen.rle
    back = session.undo()
    assert (back.rle, len(back.hypotheses)) == (clicked.rle, len(clicked.hypotheses))
    assert session.redo().rle == chosen.rle
    later = session.click(90, 60)
    assert later.mask[chosen.mask].all()


def test_what_was_not_offered_cannot_be_chosen(session):
    clicked = session.click(40, 30, hypotheses=True)
    with pytest.raises(errors.NothingToChoose, match="hypotheses"):
        session.choose(len(clicked.hypotheses))
    with pytest.raises(errors.UnknownObject):
        session.choose(0, object_id=7)
    session.click(41, 30)
    with pytest.raises(errors.NothingToChoose):
        session.choose(0)


def test_a_prediction_tells_whether_the_object_is_there(session):
    prediction = session.text("zebra")
    assert (prediction.presence, prediction.is_present) == (1.0, True)


def test_an_example_gives_a_mask_that_stands_and_goes_along_with_clicks(session):
    shown = session.example(OTHER, OTHER_MASK)
    assert shown.rle == session.example(OTHER, OTHER_MASK, object_id=2).rle
    clicked = session.click(1, 1)
    assert clicked.area > shown.area > 0
    assert session.undo().rle == shown.rle


def test_an_example_may_lie_in_the_image_itself(session):
    assert session.example(PIXELS, ROUGH).area > 0


def test_an_example_whose_mask_is_not_of_its_image_is_refused_and_costs_nothing(session):
    with pytest.raises(errors.MaskSizeMismatch, match="30 x 50"):
        session.example(OTHER, OTHER_MASK.T)
    assert session.predictions == {}
    assert session.click(40, 30).area > 0


def test_everything_is_named_and_changes_no_object(session):
    before = session.click(40, 30)
    found = session.everything()
    assert [one.object_id for one in found] == list(range(1, len(found) + 1))
    assert {one.is_thing for one in found} == {True, False}
    assert all(one.mask.shape == (64, 96) and one.label for one in found)
    assert session.predictions[1].rle == before.rle


def test_everything_takes_names_kinds_and_a_least_score(session):
    named = session.everything(["cat", "dog"], kind="semantic")
    assert {one.label for one in named} <= {"cat", "dog"}
    assert all(one.is_thing for one in session.everything(kind="instance"))
    assert session.everything(threshold=1.0) == []


def test_a_vocabulary_beyond_the_limit_is_refused(session):
    with pytest.raises(errors.LimitExceeded, match="257 names"):
        session.everything([f"name {number}" for number in range(257)])


def test_without_a_session_it_is_all_the_same(client, session):
    whole = [(one.label, one.rle) for one in client.everything(PIXELS)]
    assert whole == [(one.label, one.rle) for one in session.everything()]
    shown = client.segment(PIXELS, example=(OTHER, OTHER_MASK))
    assert shown.rle == session.example(OTHER, OTHER_MASK).rle


def test_undo_redo_and_clear_give_what_stands(session):
    first = session.click(40, 30)
    second = session.click(60, 50)
    assert session.undo().rle == first.rle
    assert session.redo().rle == second.rle
    session.clear()
    assert session.predictions == {}
    assert session.undo().rle == second.rle


def test_undo_and_redo_of_one_object_leave_the_others(session):
    first = session.click(40, 30)
    second = session.click(60, 50)
    other = session.click(20, 20, object_id=2)
    assert session.undo(object_id=1).rle == first.rle
    session.click(25, 25, object_id=2)
    assert session.redo(object_id=1).rle == second.rle
    assert session.undo(object_id=2).rle == other.rle
    assert session.predictions[1].rle == second.rle


def test_undoing_the_first_prompt_leaves_nothing(session):
    session.click(40, 30)
    assert session.undo() is None
    assert session.predictions == {}


def test_objects_are_kept_apart_and_removed_apart(session):
    session.click(20, 20)
    session.click(70, 50, object_id=2)
    session.remove(1)
    assert set(session.predictions) == {2}


@pytest.mark.parametrize(
    ("say", "error"),
    [
        (lambda s: s.click(40, 30, positive=False), errors.OnlyNegativePrompts),
        (lambda s: s.undo(), errors.NothingToUndo),
        (lambda s: s.redo(), errors.NothingToRedo),
        (lambda s: s.undo(object_id=2), errors.NothingToUndo),
        (lambda s: s.undo(object_id=0), errors.InvalidValue),
        (lambda s: s.remove(7), errors.UnknownObject),
        (lambda s: s.click(1000, 1), errors.PointOutsideImage),
    ],
)
def test_what_the_server_refuses_costs_nothing(session, say, error):
    with pytest.raises(error):
        say(session)
    assert session.click(40, 30).area > 0


@pytest.mark.parametrize(
    ("image", "error"), [(b"no image", errors.ImageUnreadable), (b"", errors.ImageEmpty)]
)
def test_what_is_no_image_is_refused_and_the_client_goes_on(client, image, error):
    with pytest.raises(error):
        client.open(image)
    with client.open(PIXELS) as session:
        assert session.click(40, 30).area > 0


def test_one_image_needs_no_session_and_gives_the_same_mask(client, session):
    assert client.segment(PIXELS, points=[(40, 30)]).rle == session.click(40, 30).rle


def test_every_prediction_of_an_image_can_be_drawn_on_it(client, session):
    first = session.click(40, 30)
    seen = [
        first,
        session.choose(0) if first.hypotheses else first,
        session.predictions[1],
        session.submit_click(41, 30).result(),
        session.undo(),
        session.everything(),
        client.everything(PIXELS),
        client.segment(PIXELS, points=[(40, 30)]),
    ]
    assert all(one.overlay().shape == PIXELS.shape for one in seen)
    assert np.array_equal(first.overlay(), first.overlay(PIXELS))


def test_whoever_attaches_knows_no_picture(client, session):
    session.click(40, 30)
    session.leave()
    with client.attach(session.id) as again:
        with pytest.raises(errors.InvalidValue, match="give the image"):
            again.predictions[1].overlay()
        assert again.predictions[1].overlay(PIXELS).shape == PIXELS.shape


async def test_awaited_predictions_can_be_drawn_too():
    with local_server(Settings(bundle="fake")) as address:
        async with await seem_client.connect_async(address) as client:
            async with client.open(PIXELS) as session:
                seen = [await session.click(40, 30), await session.everything()]
            seen += [await client.everything(PIXELS), await client.segment(PIXELS, text="zebra")]
    assert all(one.overlay().shape == PIXELS.shape for one in seen)


def test_a_large_image_is_asked_for_by_its_hash_first(client):
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), np.uint8)
    for _ in range(2):
        with client.open(noise) as session:
            assert session.size == (700, 700)


def test_of_200_rapid_clicks_the_last_is_answered_and_the_others_are_told():
    with fake_client(fake_decode_s=0.02) as client, client.open(PIXELS) as session:
        futures = [session.submit_click(1 + number % 90, 30) for number in range(200)]
        last = futures[-1].result(30)
        ends = [future.exception(30) for future in futures]
        assert {type(end) for end in ends} <= {type(None), errors.Superseded}
        assert sum(end is None for end in ends) < 100
        assert session.predictions[1].rle == last.rle


def test_a_server_that_goes_down_is_told_with_what_to_do():
    with local_server(Settings(bundle="fake")) as address:
        client = seem_client.connect(address, reconnect_s=0)
        session = client.open(PIXELS)
    with pytest.raises((errors.Disconnected, errors.ShuttingDown)) as caught:
        session.click(40, 30)
    assert caught.value.hint
    with pytest.raises(errors.Disconnected, match=r"start the server|Check that a server is"):
        client.model()
    client.close()


async def test_the_awaited_client_does_the_same():
    with local_server(Settings(bundle="fake")) as address:
        async with seem_client.connect_async(address) as client, client.open(PIXELS) as session:
            masks = await asyncio.gather(session.click(20, 20), session.click(70, 50, object_id=2))
            assert [one.object_id for one in masks] == [1, 2]
            assert (await session.undo()) is None
            assert set(session.predictions) == {1}
            clicked = await session.click(21, 21, hypotheses=True)
            assert (await session.choose(1)).rle == clicked.hypotheses[1].rle
            assert (await client.segment(PIXELS, box=(20, 20, 60, 40))).area > 0


def ends_of_streams(caplog):
    """The codes of the streams that the server has logged the end of."""
    calls = [one for one in caplog.records if getattr(one, "method", "") == "Interact"]
    return [one.code for one in calls]


@pytest.mark.parametrize("end", ["close", "leave"])
def test_a_session_that_is_closed_or_left_ends_its_stream_in_good_order(caplog, end):
    caplog.set_level(logging.INFO, "seem_server")
    with (
        local_server(Settings(bundle="fake")) as address,
        seem_client.connect(address) as client,
    ):
        session = client.open(PIXELS)
        session.click(40, 30)
        getattr(session, end)()
        assert ends_of_streams(caplog) == ["OK"]


@pytest.mark.parametrize("end", ["close", "leave"])
async def test_an_awaited_session_that_is_closed_or_left_does_too(caplog, end):
    caplog.set_level(logging.INFO, "seem_server")
    with local_server(Settings(bundle="fake")) as address:
        async with seem_client.connect_async(address) as client:
            session = await client.open(PIXELS)
            await session.click(40, 30)
            await getattr(session, end)()
            assert ends_of_streams(caplog) == ["OK"]


async def test_a_client_that_leaves_in_the_midst_of_work_is_told_of_as_one_that_left(caplog):
    caplog.set_level(logging.INFO, "seem_server")
    backend, gate = slow_backend()
    with local_server(Settings(bundle="fake"), make_backend=lambda: backend) as address:
        async with seem_client.connect_async(address) as client:
            session = await client.open(PIXELS)
            session.submit_click(40, 30)
            await asyncio.to_thread(gate.wait_for_somebody)
            await session.leave()
            await until(lambda: ends_of_streams(caplog))
            gate.let_pass(9)
    assert ends_of_streams(caplog) == ["CLIENT_LEFT"]


def test_threads_share_a_client_and_each_its_session(client):
    def work(thread):
        with client.open(np.full((64, 96, 3), 10 * thread, np.uint8)) as own:
            clicked = [own.click(40, 30, object_id=1 + n).rle for n in range(4)]
            return own.id, len(own.predictions), clicked

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, range(16)))
    assert len({name for name, _, _ in done}) == 16
    assert {n for _, n, _ in done} == {4}
    assert all(clicked == done[0][2] for _, _, clicked in done)
