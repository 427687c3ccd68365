from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'seem-server[ray]'")
    from seem_server.cluster.router import RouteRouter

from seem_server.cluster.routes import ranked

pytestmark = pytest.mark.filterwarnings("ignore")
NAMES = ["a", "b", "c"]
REPLICAS = [SimpleNamespace(replica_id=SimpleNamespace(unique_id=name)) for name in NAMES]


async def chosen(route):
    router = object.__new__(RouteRouter)  # without the loop and the handles that Ray gives one
    asked = SimpleNamespace(metadata=SimpleNamespace(multiplexed_model_id=route))
    ranks = await router.choose_replicas(REPLICAS, asked)
    return [one.replica_id.unique_id for (one,) in ranks]


async def test_a_request_goes_to_its_routes_own_replica_and_else_to_the_next():
    for route in ("image", "another", "third"):
        assert await chosen(route) == ranked(route, NAMES)


async def test_a_request_without_a_route_goes_to_any():
    assert sorted(await chosen("")) == NAMES
