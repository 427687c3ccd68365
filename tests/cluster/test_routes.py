from __future__ import annotations

from collections import Counter

from seem_server.cluster.routes import ranked

NAMES = ["a", "b", "c", "d"]
ROUTES = [f"image {number}" for number in range(2000)]


def first(names):
    return {route: ranked(route, names)[0] for route in ROUTES}


def test_a_route_has_one_replica_whoever_asks():
    assert ranked("image", NAMES) == ranked("image", reversed(NAMES))
    assert sorted(ranked("image", NAMES)) == NAMES


def test_routes_are_spread_evenly():
    assert min(Counter(first(NAMES).values()).values()) > 0.8 * len(ROUTES) / len(NAMES)


def test_a_lost_replica_moves_its_own_routes_alone_and_to_who_came_next():
    before, after = first(NAMES), first(NAMES[1:])
    for route, name in before.items():
        assert after[route] == (ranked(route, NAMES)[1] if name == "a" else name)
