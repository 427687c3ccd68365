from __future__ import annotations

import pytest
from aiohttp import ClientSession, web

from seem_client.adapters.http_site import json_object, listening
from seem_wire.errors import InvalidValue


async def test_it_answers_while_it_is_listened_to_and_cleans_up():
    closed = []

    async def note(_):
        closed.append(1)

    app = web.Application()
    app.on_cleanup.append(note)
    async with listening(app, "127.0.0.1", 0) as url, ClientSession() as session:
        assert (await session.get(url)).status == 404
        assert not closed
    assert closed


async def test_a_port_that_is_taken_is_told():
    async with listening(web.Application(), "127.0.0.1", 0) as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            async with listening(web.Application(), "127.0.0.1", port):
                pass


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b""])
async def test_a_body_that_is_no_object_is_refused(body):
    refused = []

    async def read(request):
        with pytest.raises(InvalidValue, match="no JSON object") as refusal:
            await json_object(request)
        refused.append(refusal)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", read)
    async with listening(app, "127.0.0.1", 0) as url, ClientSession() as session:
        assert (await session.post(url, data=body)).status == 200
    assert refused
