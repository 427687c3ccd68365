"""What the ML back end answers, apart from HTTP."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from seem_client.adapters.label_studio import context as contexts
from seem_client.adapters.label_studio import label_config, results
from seem_client.adapters.label_studio.films import Films
from seem_client.adapters.label_studio.sittings import Sittings
from seem_client.async_client import connect_async
from seem_wire.errors import InvalidValue, SeemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seem_client._channel import CertificateAndKey, Verified
    from seem_client.adapters.label_studio.fetching import Fetcher
    from seem_client.adapters.label_studio.label_config import LabelConfig
    from seem_client.adapters.label_studio.results import Answer
    from seem_client.async_client import AsyncClient
    from seem_client.async_session import AsyncSession
    from seem_client.async_video import AsyncVideo
    from seem_client.frames import FrameSource
    from seem_wire.types import ModelCard

    Body = Mapping[str, object]

ANSWER_S = 0.7
"""Label Studio waits a second to hear whether a back end is well."""

RECONNECT_S = 2.0
"""A person waits for the answer to his click: what is gone for longer is told as gone."""

MAX_PROJECTS = 1024


class Server:
    """The Seem server, connected to when it is first needed, and again after it was away."""

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        tls: Verified = None,
        client_cert: CertificateAndKey | None = None,
    ) -> None:
        self.address = address
        self._connect = partial(
            connect_async,
            address,
            token=token,
            tls=tls,
            client_cert=client_cert,
            reconnect_s=RECONNECT_S,
        )
        self._client: AsyncClient | None = None
        self._lock = asyncio.Lock()

    async def client(self) -> AsyncClient:
        """A client that was let in once. Raises SeemError where none is."""
        async with self._lock:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def model(self) -> ModelCard:
        """What it runs now. Raises SeemError where it does not say."""
        return await (await self.client()).model()

    async def open(self, data: bytes) -> AsyncSession:
        """A session about an image. Raises SeemError."""
        return await (await self.client()).open(data)

    async def open_video(self, frames: FrameSource) -> AsyncVideo:
        """A session about a video. Raises SeemError."""
        return await (await self.client()).track(frames)

    async def close(self) -> None:
        """Lets go of the connection."""
        if self._client is not None:
            await self._client.close()


class Backend:
    """The model that Label Studio sees, for any number of projects."""

    def __init__(self, server: Server, fetcher: Fetcher) -> None:
        self._server, self._fetcher = server, fetcher
        self._sittings = Sittings(server.open, now_s=asyncio.get_running_loop().time)
        self._films = Films(self._sittings, server.open_video)
        self._tokens: OrderedDict[str, str] = OrderedDict()  # project -> what Label Studio gave

    async def close(self) -> None:
        """Ends all sessions."""
        await self._films.close()
        await self._sittings.close()
        await self._server.close()

    async def is_well(self) -> bool:
        """Whether the server answers, soon enough to tell."""
        with suppress(SeemError, TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await self._server.model()
                return True
        return False

    async def set_up(self, body: Body) -> str:
        """The model's version, where it can serve the project. Raises SeemError where not."""
        label_config.read(str(body.get("schema") or ""))
        project, token = str(body.get("project")), body.get("access_token")
        if isinstance(token, str):
            self._tokens[project] = token
            self._tokens.move_to_end(project)
            if len(self._tokens) > MAX_PROJECTS:
                self._tokens.popitem(last=False)
        return await self.version()

    async def version(self) -> str:
        """Equal versions give equal masks. Raises SeemError where the server does not say."""
        return (await self._server.model()).model_id

    async def predict(self, body: Body) -> list[Answer | list[Answer]]:
        """The prediction for each task, by what a context says; a list of none without one.

        Raises:
            SeemError: It cannot be answered; the message is for the person who asked.
        """
        tasks, params = body.get("tasks"), body.get("params")
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise InvalidValue("There must be a list of tasks.")
        context = params.get("context") if isinstance(params, dict) else None
        if not context:  # all of a project, and nobody pointed at anything
            return [[] for _ in tasks]
        if len(tasks) != 1 or not isinstance(context, dict):
            raise InvalidValue("A context is about one task.")
        config = label_config.read(str(body.get("label_config") or ""))
        return [await self._interact(config, tasks[0], context, str(body.get("project")))]

    async def _interact(
        self, config: LabelConfig, task: Body, context: Body, project: str
    ) -> Answer:
        name, address = str(task.get("id")), _address(config, task)
        token = self._tokens.get(project, "")
        if config.is_video:
            save = partial(self._fetcher.save, address, token=token)
            answer = await self._films.answer(name, address, context, save)
            return results.event(answer, config, await self.version())
        said = contexts.read(context)
        fetch = partial(self._fetcher.fetch, token=token)
        prediction = await self._sittings.predict(name, address, said, fetch)
        version = prediction.model_id if prediction else await self.version()
        label = contexts.label(context)
        return await asyncio.to_thread(results.masks, prediction, config, label, version)


def _address(config: LabelConfig, task: Body) -> str:
    """Where the task's picture lies."""
    fields = task.get("data")
    address = fields.get(config.field) if isinstance(fields, dict) else None
    if not isinstance(address, str) or not address:
        raise InvalidValue(f"The task has no {config.field!r}, where its picture should be named.")
    return address
