"""Ray Serve's choice of a replica, by the route that a request names: here it is ours.

Ray Serve itself learns which replica has what after a delay, and sends what it does not know yet
to whoever has least: many images that come at once all go to one replica, and stay there.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from ray.serve.request_router import RequestRouter

from seem_server.cluster.routes import ranked

if TYPE_CHECKING:
    from ray.serve.request_router import PendingRequest, RunningReplica


class RouteRouter(RequestRouter):
    """Sends a request to its route's own replica, or, where that takes no more, to the next."""

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """The replicas in the order in which they are tried, each a rank of its own."""
        named = {one.replica_id.unique_id: one for one in candidate_replicas}
        route = pending_request.metadata.multiplexed_model_id if pending_request else ""
        names = ranked(route, named) if route else random.sample(list(named), len(named))
        return [[named[name]] for name in names]
