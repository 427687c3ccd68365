"""What the ML back end answers, apart from HTTP."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from seem_client.adapters.kept import Kept
from seem_client.adapters.label_studio import context as contexts
from seem_client.adapters.label_studio import label_config, results
from seem_client.adapters.label_studio.films import Films
from seem_client.adapters.label_studio.sittings import Sittings
from seem_wire.errors import InvalidValue, SeemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seem_client.adapters.label_studio.fetching import Fetcher
    from seem_client.adapters.label_studio.label_config import LabelConfig
    from seem_client.adapters.label_studio.results import Answer
    from seem_client.adapters.link import Link
    from seem_client.async_session import AsyncSession
    from seem_client.async_video import AsyncVideo
    from seem_client.frames import FrameSource

    Body = Mapping[str, object]

ANSWER_S = 0.7
"""Label Studio waits a second to hear whether a back end is well."""

MAX_PROJECTS = 1024


class Backend:
    """The model that Label Studio sees, for any number of projects."""

    def __init__(self, link: Link, fetcher: Fetcher) -> None:
        self._link, self._fetcher = link, fetcher
        self._sittings = Sittings(self._open)
        self._films = Films(self._sittings, self._open_video)
        # By project: what Label Studio gave.
        self._tokens: Kept[str, str] = Kept(n_kept=MAX_PROJECTS, keep_s=math.inf)

    async def close(self) -> None:
        """Ends all sessions."""
        await self._films.close()
        await self._sittings.close()

    async def is_well(self) -> bool:
        """Whether the server answers, soon enough to tell."""
        with suppress(SeemError, TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await self.version()
                return True
        return False

    async def set_up(self, body: Body) -> str:
        """The model's version, where it can serve the project. Raises SeemError where not."""
        label_config.read(str(body.get("schema") or ""))
        project, token = str(body.get("project")), body.get("access_token")
        if isinstance(token, str):
            self._tokens.keep(project, token)
        return await self.version()

    async def version(self) -> str:
        """Equal versions give equal masks. Raises SeemError where the server does not say."""
        return (await (await self._link.client()).model()).model_id

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

    async def _open(self, data: bytes) -> AsyncSession:
        return await (await self._link.client()).open(data)

    async def _open_video(self, frames: FrameSource) -> AsyncVideo:
        return await (await self._link.client()).track(frames)

    async def _interact(
        self, config: LabelConfig, task: Body, context: Body, project: str
    ) -> Answer:
        name, address = str(task.get("id")), _address(config, task)
        token = self._tokens.get(project) or ""
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
