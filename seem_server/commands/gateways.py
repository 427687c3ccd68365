"""Servers that share a store, one or several behind a front, to be killed and started again."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seem_server.commands.decoders import decoder_pids, ray_flags
from seem_server.commands.envoy import EnvoyProcess
from seem_server.commands.serving import ServerProcess
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random
    from typing import Self

POLITELY, TOGETHER = 0.25, 0.15
"""Of several: how many are stopped (SIGTERM) and not killed, and how often two go at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many gateways; `front`: the file of the Envoy before them, None for none.

    `replicas`: in Ray, behind one gateway; then it is they who are killed. 0 has the gateway do the
    work, and be killed.

    Raises:
        InvalidValue: Several have no front, or replicas of their own.
    """

    count: int = 1
    front: Path | None = None
    replicas: int = 0

    def __post_init__(self) -> None:
        if self.count > 1 and self.replicas:
            raise InvalidValue("Either gateways are killed or replicas: leave one of them out.")
        if self.count > 1 and self.front is None:
            raise InvalidValue("Several gateways need a front: --front deploy/envoy/envoy.yaml.")


class Gateways:
    """Servers with the same flags, by `plan`. Leaving the block kills them all."""

    def __init__(self, plan: Plan, *flags: str) -> None:
        self.n_killed = self.n_stopped = 0
        self._plan = plan
        if plan.replicas:
            flags = (*flags, *ray_flags(plan.replicas))
        self._servers = [ServerProcess(*flags) for _ in range(plan.count)]
        addresses = [one.address for one in self._servers]
        self._front = None if plan.front is None else EnvoyProcess(plan.front, addresses)
        self.address = self._front.address if self._front else addresses[0]
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with self._stack as stack:
            for one in self._servers:
                await stack.enter_async_context(one)
            if self._front is not None:
                await stack.enter_async_context(self._front)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def strike(self, chance: Random) -> None:
        """Kills one and starts it again; of several, sometimes stops one, or strikes two.

        A replica is started again by Ray, and only one that has begun can be killed.
        """
        if self._plan.replicas:
            pids = decoder_pids(self._servers[0].pid)
            if pids:
                os.kill(chance.choice(pids), signal.SIGKILL)
                self.n_killed += 1
            return
        several = len(self._servers) > 1
        n_struck = 2 if several and chance.random() < TOGETHER else 1
        struck = chance.sample(self._servers, n_struck)
        for one in struck:
            if several and chance.random() < POLITELY:
                self.n_stopped += 1
                await one.stop()
            else:
                self.n_killed += 1
                await one.kill()
        await asyncio.gather(*(one.start() for one in struck))
