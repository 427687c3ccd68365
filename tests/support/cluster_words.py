"""Replicas of this process, some of which are lost when they are told to be."""

from __future__ import annotations

from engine_words import engine

from seem_server.cluster.engine import ClusterEngine, ReplicaLost
from seem_server.cluster.replica import Replica
from seem_server.runtime.fake_backend import MANIFEST, FakeBackend


class Nearby:
    """One replica after the other, as they are lost; `sent` tells which images came along."""

    def __init__(self, make_engine=None):
        self._make_engine = make_engine or (lambda: engine(FakeBackend(), keys=()))
        self.engine = None
        self.model_id = MANIFEST.model_id
        self.losses = 0
        self.sent = []
        self.routes = []
        self.closed = False
        self.restart()

    def restart(self):
        """Another replica, which knows nothing, in place of the one there was."""
        if self.engine is not None:
            self.engine.close(drain_s=0)
        self.engine = self._make_engine()
        self._replica = Replica(self.engine)

    def lend(self, pixels):
        return (pixels,)

    async def carry_out(self, route, work, images, *, tenant):
        self.routes.append(route)
        self.sent.append(frozenset(images))
        if self.losses:
            self.losses -= 1
            self.restart()
            raise ReplicaLost("gone")
        pixels = {key: lent for key, (lent,) in images.items()}
        return await self._replica.carry_out(work, pixels, tenant=tenant)

    async def about(self):
        if self.losses:
            raise ReplicaLost("gone")
        return self.engine.provider, self.model_id

    async def close(self):
        self.closed = True
        self.engine.close(drain_s=0)


def cluster(replicas=None, *, max_waiting=8, images_bytes=1 << 24, **options):
    """A cluster engine over one replica at a time."""
    return ClusterEngine(
        replicas or Nearby(),
        MANIFEST,
        max_waiting=max_waiting,
        images_bytes=images_bytes,
        **options,
    )
