"""What CVAT's server says to nuclio, and the adapter that stands in for nuclio."""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

import seem_client
from seem_client.adapters.cvat_nuclio import Options, make_application
from seem_client.adapters.http_site import listening
from seem_client.adapters.link import Link


def picture(step=0, size=(64, 96)):
    """A grey image with a red square that goes right, uint8 (H, W, 3)."""
    pixels = np.full((*size, 3), 128, np.uint8)
    pixels[10:30, 10 + 3 * step : 30 + 3 * step] = (220, 40, 40)
    return pixels


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def base64_of(step=0):
    return base64.b64encode(png(picture(step))).decode()


@dataclass
class Answer:
    status: int
    reason: str
    body: object


class Nuclio:
    """Calls an adapter as CVAT's server calls nuclio: a connection a request."""

    def __init__(self, url):
        self.url, self._at = url, urlsplit(url)

    def call(self, method, path, fields=None, *, body=None, **headers):
        connection = http.client.HTTPConnection(self._at.hostname, self._at.port, timeout=60)
        try:
            content = body if fields is None else json.dumps(fields)
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(
                method, path, content, headers | {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            return Answer(response.status, response.reason, json.loads(response.read()))
        finally:
            connection.close()

    def invoke(self, name, fields):
        """As through nuclio's dashboard."""
        headers = {"x_nuclio_function_name": name, "x_nuclio_path": "/"}
        return self.call("POST", "/api/function_invocations", fields, **headers)

    def functions(self):
        return self.call("GET", "/api/functions").body


@contextmanager
def nuclio(address, *, reconnect_s=0.5, **options):
    """An adapter before the server at an address, in a thread of its own."""
    loop, stop, urls = asyncio.new_event_loop(), asyncio.Event(), []
    ready = threading.Event()

    async def serve():
        link = Link(lambda: seem_client.connect_async(address, reconnect_s=reconnect_s))
        async with listening(make_application(link, Options(**options)), "127.0.0.1", 0) as url:
            urls.append(url)
            ready.set()
            await stop.wait()
        await link.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield Nuclio(urls[0])
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
