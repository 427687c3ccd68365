from __future__ import annotations

import json
import logging

import pytest
from aiohttp import ClientSession, web

from seem_client.adapters.http_site import listening
from seem_client.adapters.refusals import LONGEST_REASON, refusal, refuse_in_a_sentence
from seem_wire import errors


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ImageUnreadable("no image"), 400),
        (errors.UnknownObject("no object"), 404),
        (errors.SessionExpired("too old"), 410),
        (errors.Disconnected("gone"), 503),
        (errors.Internal("broken"), 500),
    ],
)
def test_the_status_says_whose_fault_it_is_and_the_reason_is_the_sentence(error, status):
    response = refusal(error)
    assert (response.status, response.reason) == (status, str(error))
    assert json.loads(response.text)["error"]["code"] == error.code


def test_a_reason_is_one_line_of_plain_letters():
    reason = refusal(errors.InvalidValue("of\r\nX-Header: “ü”\x00")).reason
    assert reason.startswith("of X-Header: ????")
    assert reason.isascii()
    assert reason.isprintable()


def test_a_reason_has_an_end_however_long_the_sentence():
    response = refusal(errors.InvalidValue("no " * LONGEST_REASON))
    assert len(response.reason) == LONGEST_REASON
    assert len(response.text) > LONGEST_REASON


async def test_what_breaks_is_logged_and_told_in_a_sentence(caplog):
    async def broken(_):
        raise ZeroDivisionError("a secret")

    app = web.Application(middlewares=[refuse_in_a_sentence])
    app.router.add_get("/", broken)
    with caplog.at_level(logging.ERROR):
        async with listening(app, "127.0.0.1", 0) as url, ClientSession() as session:
            response = await session.get(url)
            text = await response.text()
    assert response.status == 500
    assert "Traceback" not in text
    assert "secret" not in text
    assert "a secret" in caplog.text
