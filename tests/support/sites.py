"""The annotator's site before a server of simple masks, and a browser's side of its WebSocket."""

from __future__ import annotations

from contextlib import asynccontextmanager

import aiohttp

from seem_server.app import serve
from seem_server.settings import Settings
from seem_server.web.site import SiteConfig, plain_reach, serve_site
from seem_wire.v1 import seem_pb2 as pb


@asynccontextmanager
async def site(*, address=None, config=None, **settings):
    """The URL of a site, and a client session that says it is a page of it."""
    chosen = config or SiteConfig(port=0)
    if address is None:
        options = {"port": 0, "store": "memory", "grace_s": 0, **settings}
        serving = serve(Settings(bundle="fake", **options), warm_up=False)
        async with serving as running, _site(chosen, running.address) as both:
            yield both
    else:
        async with _site(chosen, address) as both:
            yield both


@asynccontextmanager
async def _site(config, address):
    async with (
        serve_site(config, plain_reach(address)) as url,
        aiohttp.ClientSession(url, headers={"Origin": url}) as browser,
    ):
        yield url, browser


class Page:
    """One WebSocket, in messages of seem.proto."""

    def __init__(self, socket):
        self.socket = socket
        self._seq = 0

    async def hello(self, token=""):
        await self.socket.send_json({"token": token})
        return self

    async def ask(self, **command):
        self._seq += 1
        await self.socket.send_bytes(pb.Command(seq=self._seq, **command).SerializeToString())
        return await self.heard()

    async def heard(self):
        return pb.Reply.FromString(await self.socket.receive_bytes())


@asynccontextmanager
async def page(browser, token=""):
    async with browser.ws_connect("/interact") as socket:
        yield await Page(socket).hello(token)


def opening():
    return {"open": pb.Open(image=pb.ImageSubject(), client="a page")}


def photo(encoded):
    return {"set_image": pb.SetImage(image=pb.Image(encoded=encoded))}


def click(x, y, object_id=1):
    prompt = pb.ObjectPrompt(object_id=object_id, points=[pb.Point(x=x, y=y)])
    return {"prompt": pb.Prompt(objects=[prompt])}
