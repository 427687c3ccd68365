"""The adapter with a fake Label Studio that holds pictures, and requests as the real one's."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager

import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

import seem_client
from seem_client.adapters.label_studio import brush
from seem_client.adapters.label_studio.app import make_application
from seem_client.adapters.label_studio.fetching import Source
from seem_client.adapters.link import RECONNECT_S, Link

HEIGHT, WIDTH = 64, 96
PICTURE = "/data/upload/1/photo.png"
BRUSH = (
    '<BrushLabels name="tag" toName="image"><Label value="cat"/><Label value="dog"/></BrushLabels>'
)
BITMASK = '<BitmaskLabels name="tag" toName="image"><Label value="cat"/></BitmaskLabels>'


def config(controls=BRUSH):
    return f"""<View><Image name="image" value="$photo"/>{controls}
        <KeyPointLabels name="point" toName="image" smart="true">
            <Label value="dog"/>
        </KeyPointLabels>
        <TextArea name="words" toName="image" smart="true"/></View>"""


def png(colour=120, size=(HEIGHT, WIDTH)):
    file = io.BytesIO()
    Image.fromarray(np.full((*size, 3), colour, np.uint8)).save(file, "PNG")
    return file.getvalue()


class FakeStudio:
    """Label Studio's files by path, and who asked for them; `other` is another host's."""

    def __init__(self):
        self.files = {PICTURE: png()}
        self.asked = []
        self.redirects = {}
        self.access = ["access-1", "access-2"]
        self.url = ""

    def app(self):
        app = web.Application()
        app.router.add_post("/api/token/refresh", self._refresh)
        app.router.add_get("/{path:.*}", self._get)
        return app

    async def _get(self, request):
        shown = request.headers.get("Authorization", "")
        self.asked.append((request.path, shown))
        if request.path in self.redirects:
            raise web.HTTPFound(self.redirects[request.path])
        if request.path.startswith("/closed") and shown != "Bearer access-2":
            raise web.HTTPUnauthorized
        if request.path not in self.files:
            raise web.HTTPNotFound
        return web.Response(body=self.files[request.path])

    async def _refresh(self, request):
        self.asked.append((request.path, (await request.json())["refresh"]))
        return web.json_response({"access": self.access.pop(0)})


@asynccontextmanager
async def studio():
    fake = FakeStudio()
    async with TestServer(fake.app()) as server:
        fake.url = str(server.make_url("/"))
        yield fake


@asynccontextmanager
async def linked(address):
    """A link to the Seem server at an address, as the command makes it."""
    link = Link(lambda: seem_client.connect_async(address, token="", reconnect_s=RECONNECT_S))
    yield link
    await link.close()


@asynccontextmanager
async def adapter(address, fake, *, login=None, **source):
    """A client of the adapter, which is one of the Seem server at `address`."""
    async with linked(address) as link:
        app = make_application(link, Source(fake.url, **source), login)
        async with TestClient(TestServer(app)) as client:
            yield client


def key_point(x, y, *, positive=True, spelling="is_positive"):
    region = {
        "id": "abc", "type": "keypointlabels", "from_name": "point", "to_name": "image",
        "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0,
        "value": {"x": x, "y": y, "width": 0.3, "keypointlabels": ["dog"], "labels": ["dog"]},
    }  # fmt: skip
    if spelling == "is_positive":
        return region | {"is_positive": int(positive)}
    region["value"]["positive"] = positive
    return region


def rectangle(x, y, width, height, **fields):
    value = {"x": x, "y": y, "width": width, "height": height, "rectanglelabels": ["cat"]}
    return {"type": "rectanglelabels", "from_name": "box", "value": value} | fields


def brushed(mask):
    value = {"format": "rle", "rle": brush.encode(mask), "brushlabels": ["cat"]}
    height, width = mask.shape
    return {
        "type": "brushlabels", "value": value, "original_width": width, "original_height": height
    }  # fmt: skip


def words(text):
    return {"type": "textarea", "from_name": "words", "value": {"text": [text]}}


def asking(*regions, controls=BRUSH, task=1, picture=PICTURE, **context):
    """The body of an interactive predict; what others drew comes along with the task."""
    task = {"id": task, "data": {"photo": picture}, "annotations": [], "drafts": []}
    return {
        "tasks": [task],
        "project": "1.1700000000",
        "label_config": config(controls),
        "params": {"login": None, "password": None, "context": {"result": list(regions)} | context},
    }


def mask_of(region):
    """A brush region's mask, as Label Studio would read it."""
    size = region["original_height"], region["original_width"]
    return brush.decode(region["value"]["rle"], size)
