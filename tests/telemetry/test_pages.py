from __future__ import annotations

import asyncio
import threading
import urllib.error
import urllib.request

import pytest

from seem_server.telemetry.pages import Pages, loop_answers, serve_pages


def get(port, path, host="127.0.0.1"):
    """(status, body) of a page."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


def pages(*, alive=True, ready=True):
    return Pages(metrics=lambda: b"seem_sessions 1\n", alive=lambda: alive, ready=lambda: ready)


def test_metrics_are_told_as_prometheus_reads_them():
    with serve_pages("127.0.0.1", 0, pages()) as port:
        assert get(port, "/metrics?x=1") == (200, b"seem_sessions 1\n")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_each_question_has_its_own_answer(path):
    name = {"/livez": "alive", "/readyz": "ready"}[path]
    with serve_pages("127.0.0.1", 0, pages(**{name: False})) as port:
        assert get(port, path)[0] == 503
        (other,) = {"/livez", "/readyz"} - {path}
        assert get(port, other)[0] == 200


def test_there_is_nothing_else():
    with serve_pages("127.0.0.1", 0, pages()) as port:
        assert get(port, "/etc/passwd")[0] == 404


def test_an_address_that_is_taken_is_told_so():
    with (
        serve_pages("127.0.0.1", 0, pages()) as port,
        pytest.raises(OSError, match=f"metrics on 127.0.0.1:{port}"),
        serve_pages("127.0.0.1", port, pages()),
    ):
        pass


def test_nothing_is_left_when_it_ends():
    with serve_pages("127.0.0.1", 0, pages()) as port:
        get(port, "/livez")
    with pytest.raises(OSError, match="refused"):
        get(port, "/livez")
    assert "seem-pages" not in {thread.name for thread in threading.enumerate()}


async def test_a_loop_that_takes_its_turns_answers():
    assert await asyncio.to_thread(loop_answers, asyncio.get_running_loop())


def test_a_loop_that_hangs_or_is_closed_does_not_answer():
    loop = asyncio.new_event_loop()
    assert not loop_answers(loop, within_s=0.001)
    loop.close()
    assert not loop_answers(loop)
