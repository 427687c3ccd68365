from __future__ import annotations

import inspect

import pytest

from seem_server.cluster.engine import ClusterEngine
from seem_server.engine.engine import Engine
from seem_server.engine.port import EnginePort

METHODS = [
    name
    for name, one in vars(EnginePort).items()
    if inspect.isfunction(one) and not name.startswith("_")
]


@pytest.mark.parametrize("made", [Engine, ClusterEngine])
@pytest.mark.parametrize("name", METHODS)
def test_both_engines_take_what_the_port_takes(made, name):
    def taken(owner):
        return [(p.name, p.kind, p.default) for p in parameters(owner)]

    def parameters(owner):
        return inspect.signature(getattr(owner, name)).parameters.values()

    assert taken(made) == taken(EnginePort)


def test_the_port_has_methods_to_compare():
    assert {"submit", "check_room", "put_image", "close"} <= set(METHODS)
