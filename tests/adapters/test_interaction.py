from __future__ import annotations

import asyncio

import pytest
from nuclio_words import picture, png
from service_words import until

import seem_client
from seem_client.adapters import interaction
from seem_client.adapters.interaction import Interaction, Said
from seem_client.adapters.link import Link
from seem_server.app import local_server
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.settings import Settings
from seem_wire import errors

IMAGE = png(picture())
A, B, C = (20.0, 20.0), (60.0, 40.0), (80.0, 10.0)


@pytest.fixture(scope="module")
def served():
    backend = FakeBackend()
    with local_server(Settings(bundle="fake"), make_backend=lambda: backend) as address:
        yield address, backend


@pytest.fixture
async def link(served):
    one = Link(lambda: seem_client.connect_async(served[0]))
    yield one
    await one.close()


@pytest.fixture
def points(link):
    return Interaction(link)


@pytest.mark.parametrize(
    ("before", "now", "news"),
    [
        (Said((A,)), Said((A, B), (C,)), Said((B,), (C,))),
        (Said((A,)), Said((A,)), Said()),
        (Said((A,)), Said((A,), (), (0, 0, 9, 9)), Said((), (), (0, 0, 9, 9))),
        (Said((A,), (), (0, 0, 9, 9)), Said((A, B), (), (0, 0, 9, 9)), Said((B,))),
        (Said((A, B)), Said((A,)), None),
        (Said((A,)), Said((B, A)), None),
        (Said((A,), (C,)), Said((A, B)), None),
        (Said((A,), (), (0, 0, 9, 9)), Said((A,)), None),
        (Said((A,), (), (0, 0, 9, 9)), Said((A,), (), (0, 0, 8, 8)), None),
    ],
)
def test_what_is_new_is_told_from_what_is_taken_back(before, now, news):
    assert now.beyond(before) == news


async def test_a_click_more_corrects_the_round_before_and_the_image_is_encoded_once(points, served):
    image, before = png(picture(1)), served[1].n_encoded
    first = await points.mask(image, Said((A,)))
    second = await points.mask(image, Said((A, B)))
    assert (first.round, second.round) == (1, 2)
    assert second.object_id == first.object_id
    assert second.area > first.area
    assert served[1].n_encoded == before + 1


async def test_the_same_request_again_is_answered_by_what_stands(points, served):
    first = await points.mask(IMAGE, Said((A,)))
    before = served[1].n_decoded
    assert (await points.mask(IMAGE, Said((A,)))).rle == first.rle
    assert served[1].n_decoded == before


async def test_what_takes_something_back_begins_another_object(points):
    await points.mask(IMAGE, Said((A,)))
    both = await points.mask(IMAGE, Said((A,), (A,)))
    other = await points.mask(IMAGE, Said((B,)))
    assert other.object_id != both.object_id
    assert other.mask[40, 60]
    assert not other.mask[20, 20]


async def test_two_people_at_one_image_do_not_disturb_each_other(points):
    await asyncio.gather(points.mask(IMAGE, Said((A,))), points.mask(IMAGE, Said((C,))))
    one, other = await asyncio.gather(
        points.mask(IMAGE, Said((A, B))), points.mask(IMAGE, Said((C, B)))
    )
    assert one.mask[20, 20]
    assert not one.mask[10, 80]
    assert other.mask[10, 80]
    assert not other.mask[20, 20]


async def test_objects_of_an_image_are_bounded(points, monkeypatch):
    monkeypatch.setattr(interaction, "N_OBJECTS", 2)
    for place in (A, B, C):
        await points.mask(IMAGE, Said((place,)))
    again = await points.mask(IMAGE, Said((A, B)))
    assert again.round == 1  # it was forgotten, and is said whole


async def test_images_are_bounded_and_a_session_that_goes_ends_on_the_server(link):
    few = Interaction(link, n_images=1)
    await few.mask(IMAGE, Said((A,)))
    await few.mask(png(picture(2)), Said((A,)))
    client = await link.client()
    assert len(client._sessions) == 1
    assert (await few.mask(IMAGE, Said((A, B)))).round == 1
    await few.close()
    await until(lambda: not client._sessions)


async def test_a_session_that_is_lost_is_begun_anew(points, link):
    await points.mask(IMAGE, Said((A,)))
    for session in tuple((await link.client())._sessions):
        await session.close()
    assert (await points.mask(IMAGE, Said((A, B)))).round == 1


async def test_a_refused_click_changes_nothing(points):
    await points.mask(IMAGE, Said((A,)))
    with pytest.raises(errors.PointOutsideImage):
        await points.mask(IMAGE, Said((A, (900.0, 1.0))))
    assert (await points.mask(IMAGE, Said((A, B)))).round == 2


async def test_nothing_said_is_refused_before_anything_is_opened(points):
    with pytest.raises(errors.PromptEmpty):
        await points.mask(IMAGE, Said())
