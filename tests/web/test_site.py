from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import aiohttp
import pytest
import trustme
from sites import opening, page, site

from seem_server.service.callers import line_of
from seem_server.web.site import STATIC, SiteConfig
from seem_wire.errors import Disconnected, InvalidValue

SOURCES = Path(__file__).parents[2] / "clients/web"


async def test_the_page_and_all_that_it_loads_are_served():
    async with site() as (_, browser):
        for path in ("/", "/app.js", "/app.css", "/icon.svg", "/samples/cat.jpg"):
            async with browser.get(path) as answer:
                assert answer.status == 200
                assert await answer.read()


@pytest.mark.parametrize("path", ["/nothing", "/../site.py", "/%2e%2e/site.py", "/static/app.js"])
async def test_nothing_else_is(path):
    async with site() as (_, browser), browser.get(path) as answer:
        assert answer.status == 404


async def test_every_answer_says_what_the_page_may_do():
    async with site() as (_, browser):
        for path in ("/", "/app.js", "/nothing"):
            async with browser.get(path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
async def test_other_pages_are_turned_away(origin):
    async with site() as (url, _), aiohttp.ClientSession(url, headers={"Origin": origin}) as evil:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await evil.ws_connect("/interact")
        assert refusal.value.status == 403
        async with evil.post("/segment", data=b"") as answer:
            assert answer.status == 403


async def test_no_more_pages_than_it_may_have_are_let_in():
    config = SiteConfig(port=0, max_pages=1)
    async with site(config=config) as (_, browser), page(browser) as one:
        await one.ask(**opening())
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await browser.ws_connect("/interact")
        assert refusal.value.status == 503


async def test_a_taken_port_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"Can't serve the annotator on 127.0.0.1:{port}"):
            async with site(config=SiteConfig(port=port)):
                pass


def test_other_machines_are_let_in_with_tls_or_on_purpose():
    with pytest.raises(InvalidValue, match="not be encrypted"):
        SiteConfig(host="192.0.2.1")
    with pytest.raises(InvalidValue, match="go together"):
        SiteConfig(tls_cert="cert.pem")
    assert SiteConfig(host="192.0.2.1", insecure=True).url(1) == "http://192.0.2.1:1"
    assert SiteConfig(host="192.0.2.1", tls_cert="c", tls_key="k").url(1) == "https://192.0.2.1:1"
    assert SiteConfig(host="::1").url(1) == "http://[::1]:1"


@pytest.fixture
def certificate(tmp_path):
    """Flags of a site that other machines can reach, over TLS."""
    made = trustme.CA().issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made.cert_chain_pems[0].write_to_path(cert)
    made.private_key_pem.write_to_path(key)
    return {"host": "0.0.0.0", "port": 0, "tls_cert": str(cert), "tls_key": str(key)}  # noqa: S104


async def test_strangers_do_not_reach_an_open_server_through_it(certificate):
    with pytest.raises(InvalidValue, match="asks nobody who he is"):
        async with site(config=SiteConfig(**certificate)):
            pass


async def test_a_server_that_cannot_be_asked_is_no_reason_to_let_them_in(certificate):
    with pytest.raises(Disconnected):
        async with site(address="127.0.0.1:9", config=SiteConfig(**certificate)):
            pass


async def test_other_machines_reach_a_server_that_asks_over_tls(certificate, tmp_path):
    callers = tmp_path / "callers"
    callers.write_text(line_of("acme", "ann", "token") + "\n", "utf-8")
    wide = SiteConfig(**certificate)
    async with site(config=wide, tokens_file=str(callers)) as (url, browser):
        assert url.startswith("https://localhost:")
        async with browser.get("/", ssl=False) as answer:
            assert answer.status == 200


def test_the_built_files_are_those_of_the_sources():
    """Else run `make web` and commit what it builds."""
    listed = dict(
        reversed(line.split("  ", 1))
        for line in (STATIC / "sources.sha256").read_text("utf-8").splitlines()
    )
    there = {path for path in (SOURCES / "src").rglob("*") if path.is_file()}
    there |= {SOURCES / "build.mjs", SOURCES / "package-lock.json"}
    found = {
        path.relative_to(SOURCES).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in there
    }
    assert listed == found
