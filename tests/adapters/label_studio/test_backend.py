from __future__ import annotations

import pytest
from aiohttp import ClientSession
from label_studio_words import asking, config, key_point, linked, png, rectangle, studio

from seem_client.adapters.label_studio.backend import Backend
from seem_client.adapters.label_studio.fetching import Fetcher, Source
from seem_server.app import local_server
from seem_server.settings import Settings
from seem_wire.errors import Disconnected, InvalidValue


@pytest.fixture(scope="module")
def server():
    with local_server(Settings(bundle="fake")) as address:
        yield address


@pytest.fixture
async def backend(server):
    async with studio() as fake, ClientSession() as session, linked(server) as link:
        made = Backend(link, Fetcher(Source(fake.url), session))
        made.studio = fake
        yield made
        await made.close()


def setup(**fields):
    return {"project": "1.1700000000", "schema": config(), "access_token": "given"} | fields


async def test_the_version_is_the_servers_model(backend):
    assert await backend.set_up(setup()) == await backend.version()
    (answer,) = await backend.predict(asking(key_point(50, 50)))
    assert answer["model_version"] == await backend.version()


async def test_the_token_that_a_project_gave_is_used_for_its_pictures(backend):
    await backend.set_up(setup())
    await backend.predict(asking(key_point(50, 50)))
    await backend.predict(asking(key_point(50, 50), task=2) | {"project": "2.17"})
    assert [shown for _, shown in backend.studio.asked] == ["Token given", ""]


async def test_a_project_without_a_control_for_masks_is_refused_when_it_is_set_up(backend):
    with pytest.raises(InvalidValue, match="nothing that Seem can draw masks in"):
        await backend.set_up(setup(schema="<View/>"))


async def test_tasks_without_a_context_get_no_predictions(backend):
    body = asking() | {"params": {"context": None}}
    body["tasks"] *= 3
    assert await backend.predict(body) == [[], [], []]


async def test_the_region_has_the_label_of_the_tool(backend):
    (answer,) = await backend.predict(asking(key_point(50, 50)))
    assert answer["result"][0]["value"]["brushlabels"] == ["dog"]
    (answer,) = await backend.predict(asking(rectangle(10, 10, 50, 50)))
    assert answer["result"][0]["value"]["brushlabels"] == ["cat"]


@pytest.mark.parametrize("tasks", [None, [], {}, ["1"], [{}], [{"id": 1, "data": {"photo": 3}}]])
async def test_requests_that_name_no_picture_are_refused(backend, tasks):
    with pytest.raises(InvalidValue):
        await backend.predict(asking(key_point(50, 50)) | {"tasks": tasks})


async def test_a_server_that_is_down_is_told_and_used_as_soon_as_it_is_there():
    async with studio() as fake, ClientSession() as session, linked("127.0.0.1:1") as link:
        backend = Backend(link, Fetcher(Source(fake.url), session))
        assert not await backend.is_well()
        with pytest.raises(Disconnected):
            await backend.predict(asking(key_point(50, 50)))
        await backend.close()


async def test_a_picture_of_a_later_task_is_another(backend):
    backend.studio.files["/b.png"] = png(5, (20, 30))
    await backend.predict(asking(key_point(50, 50)))
    (answer,) = await backend.predict(asking(key_point(50, 50), task=2, picture="/b.png"))
    assert answer["result"][0]["original_height"] == 20
