"""Short words for what runs on an event loop: a service without gRPC, and a server with it."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import grpc
import numpy as np
from engine_words import Gate
from PIL import Image
from session_words import MODEL

from seem_server.app import serve
from seem_server.engine.engine import Engine
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.service.conversation import Conversation
from seem_server.service.directory import Directory, DirectoryConfig
from seem_server.service.images import Images
from seem_server.service.journal import Journal
from seem_server.service.store_shelf import StoreShelf
from seem_server.service.tenants import Tenants
from seem_server.settings import Settings
from seem_wire import convert, types
from seem_wire.prompts import MaskPrompt, ObjectPrompt, Point
from seem_wire.v1.seem_pb2_grpc import SeemStub

HEIGHT, WIDTH = 60, 80
HERE = ObjectPrompt(points=(Point(30.5, 20.5),))
OUTSIDE = ObjectPrompt(points=(Point(300, 20),))
NOT_HERE = ObjectPrompt(points=(Point(30.5, 20.5, positive=False),))


def photo(seed=0, *, height=HEIGHT, width=WIDTH, form="PNG"):
    """The bytes of an image file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


PHOTO = photo()
KEY = types.content_hash(PHOTO)


def picture(index):
    """The bytes of a video's frame: a red square on green, which goes to the right."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[..., 1] = 90
    pixels[16:40, 8 + 6 * index : 32 + 6 * index] = 250, 10, 10
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


FILM = tuple(map(picture, range(6)))
SQUARE = np.zeros((HEIGHT, WIDTH), np.bool_)
SQUARE[16:40, 8:32] = True
GIVEN = ObjectPrompt(mask=MaskPrompt(SQUARE))
"""The square of the first frame."""


def frame(seq, index, data=None):
    """A video's next frame."""
    return types.Frame(seq, index, types.ImageBytes(data or FILM[index]))


def open_image(seq=1, **options):
    return types.OpenImage(seq, **options)


def set_image(seq=2, data=PHOTO, **options):
    return types.SetImage(seq, types.ImageBytes(data), **options)


def click(seq, said=HERE, *, object_id=1, **options):
    return types.Prompt(seq, (types.PromptedObject(object_id, said),), **options)


def opening():
    """The commands that every session begins with; the next one is number 3."""
    return open_image(), set_image()


OTHER = photo(7, height=20, width=30)
OTHER_KEY = types.content_hash(OTHER)
NOTHING = ObjectPrompt()
OTHER_MASK = MaskPrompt(np.ones((20, 30), np.bool_))


def show(seq, image=None, mask=OTHER_MASK, *, said=NOTHING, object_id=1, **options):
    """A prompt that shows an example in the other photo, or in `image`."""
    example = types.Example(image or types.ImageBytes(OTHER), mask)
    return types.Prompt(seq, (types.PromptedObject(object_id, said, example),), **options)


class Busy(ThreadPoolExecutor):
    """An executor that tells what it was given to do."""

    def __init__(self):
        super().__init__(1)
        self.done = []

    def submit(self, function, *arguments):
        self.done.append(function.__name__)
        return super().submit(function, *arguments)


class Service:
    """A directory and what it rests on, without gRPC."""

    def __init__(
        self,
        *,
        backend=None,
        model=MODEL,
        store=None,
        wall=lambda: 0.0,
        engine=None,
        tenants=None,
        **config,
    ):
        self.journal = None if store is None else Journal(store, wall=wall)
        shelf = None if self.journal is None else StoreShelf(self.journal)
        self.engine = Engine(lambda: backend or FakeBackend(), engine, shelf=shelf)
        self.executor = Busy()
        limits = model.capabilities.limits
        self.images = Images(self.engine, limits, self.executor, journal=self.journal)
        settings = DirectoryConfig(**config)
        self.tenants = tenants or Tenants()
        self.directory = Directory(
            self.engine, self.images, model, settings, self.journal, self.tenants
        )

    @property
    def at_rest(self):
        """Whether nothing waits, runs or is held for anybody."""
        stats = self.engine.stats
        return not (len(self.directory) or stats.n_waiting or stats.n_running or stats.n_pins)

    def close(self):
        self.directory.close()
        self.engine.close()
        self.executor.shutdown()


def slow_backend():
    """A backend that waits at a gate before each decode, and the gate."""
    gate = Gate()
    return FakeBackend(decode_s=1, wait=gate), gate


async def until(condition):
    """Lets the loop run until `condition()`; for what other threads bring about."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (what it waits for knows no event of ours)
            await asyncio.sleep(0.001)


@asynccontextmanager
async def served(backend=None, **settings):
    """A server that runs, and a stub to call it."""
    make = None if backend is None else lambda: backend
    usual = {"bundle": "fake", "port": 0, "grace_s": 0, "store": "memory", "linger_s": 0}
    wanted = Settings(**(usual | settings))
    async with (
        serve(wanted, make_backend=make, warm_up=False) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        yield running, SeemStub(channel), channel


class Stream:
    """Both ends of a stream without a network."""

    def __init__(self, directory, *, now=lambda: 0.0, **options):
        self._commands = asyncio.Queue()
        self._replies = asyncio.Queue()
        self.reading = asyncio.Event()  # cleared: the client does not read
        self.reading.set()
        self.n_read = 0
        self.task = asyncio.create_task(
            Conversation(directory, now=now, **options).run(self._incoming(), self._write)
        )

    async def _incoming(self):
        while (command := await self._commands.get()) is not None:
            self.n_read += 1
            yield command

    async def _write(self, reply):
        await self.reading.wait()
        self._replies.put_nowait(reply)

    def say(self, *commands):
        for command in commands:
            self._commands.put_nowait(command)

    async def hear(self, n=1):
        async with asyncio.timeout(20):
            return [await self._replies.get() for _ in range(n)]

    async def finish(self):
        self.say(None)
        await self.task


class Talk:
    """A stream, spoken in commands and replies."""

    def __init__(self, stub, **options):
        self._call = stub.Interact(**options)

    async def say(self, *commands):
        for command in commands:
            await self._call.write(convert.command_to_proto(command))

    async def say_raw(self, message):
        await self._call.write(message)

    async def hear(self, n=1):
        """The next `n` replies."""
        async with asyncio.timeout(20):
            return [convert.reply_from_proto(await self._call.read()) for _ in range(n)]

    async def ask(self, *commands):
        """The last reply to these commands."""
        await self.say(*commands)
        return (await self.hear(len(commands)))[-1]

    async def hear_until_the_end(self):
        """All replies that are left; nothing more is said."""
        await self._call.done_writing()
        replies = []
        async with asyncio.timeout(20):
            while (message := await self._call.read()) is not grpc.aio.EOF:
                replies.append(convert.reply_from_proto(message))
        return replies

    def hang_up(self):
        self._call.cancel()


@contextmanager
def service(**options):
    made = Service(**options)
    try:
        yield made
    finally:
        made.close()
