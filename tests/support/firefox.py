"""A real Firefox, spoken to by WebDriver BiDi: playwright drives builds of its own only."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from contextlib import asynccontextmanager

import aiohttp
import pytest

FIREFOX = next(filter(None, map(shutil.which, ("firefox", "firefox-esr"))), None)
PREFERENCES = (
    'user_pref("layout.css.devPixelsPerPx", "2");',  # a dense screen
    'user_pref("app.update.enabled", false);',
    'user_pref("datareporting.policy.dataSubmissionEnabled", false);',
)


@asynccontextmanager
async def firefox(folder):
    """A page in a headless Firefox; the test is skipped, and says why, where there is none."""
    if FIREFOX is None:
        pytest.skip("no Firefox")
    (folder / "user.js").write_text("\n".join(PREFERENCES), "utf-8")
    flags = ("--headless", "--remote-debugging-port=0", "--no-remote", "--profile", str(folder))
    process = await asyncio.create_subprocess_exec(
        FIREFOX, *flags, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        address = await _address(process.stderr)
        rest = asyncio.create_task(process.stderr.read())  # what it says else must go somewhere
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{address}/session", max_msg_size=0) as socket,
        ):
            page = Tab(socket)
            await page.begin()
            yield page
        rest.cancel()
    finally:
        process.terminate()
        await process.wait()


async def _address(lines):
    async for line in lines:
        found = re.search(rb"listening on (ws://\S+)", line)
        if found:
            return found[1].decode()
    raise AssertionError("Firefox ended")


class Tab:
    """A tab, in commands of WebDriver BiDi."""

    def __init__(self, socket):
        self._socket = socket
        self._said = 0
        self._context = ""

    async def begin(self):
        await self._ask("session.new", capabilities={})
        tree = await self._ask("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]

    async def go(self, url):
        await self._ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def reload(self):
        await self._ask("browsingContext.reload", context=self._context, wait="complete")

    async def js(self, expression):
        """What an expression in the page comes to: text, a number, true or false."""
        target = {"context": self._context}
        answer = await self._ask(
            "script.evaluate", expression=expression, target=target, awaitPromise=True
        )
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    async def wait_for(self, holds):
        await self.js(
            "new Promise((done) => { const look = () => "
            f"({holds}) ? done(true) : setTimeout(look, 20); look(); }})"
        )

    async def click(self, x, y, button=0):
        """At CSS pixels of the window."""
        steps = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": button},
            {"type": "pointerUp", "button": button},
        ]
        await self._act({"type": "pointer", "id": "mouse", "actions": steps})

    async def press(self, key):
        steps = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        await self._act({"type": "key", "id": "keys", "actions": steps})

    async def screenshot(self):
        """The window as PNG."""
        answer = await self._ask("browsingContext.captureScreenshot", context=self._context)
        return base64.b64decode(answer["data"])

    async def _act(self, source):
        await self._ask("input.performActions", context=self._context, actions=[source])

    async def _ask(self, method, **params):
        self._said += 1
        await self._socket.send_json({"id": self._said, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == self._said:
                assert message["type"] == "success", message
                return message["result"]
