from __future__ import annotations

import random

import pytest
from envoy_here import FRONT, envoy_program

import seem_client
from seem_server.commands import gateways
from seem_server.commands.gateways import Gateways, Plan
from seem_wire.errors import InvalidValue


def test_several_need_a_front():
    with pytest.raises(InvalidValue, match="--front"):
        Plan(2)


async def test_one_is_killed_and_is_there_again_without_a_front():
    async with Gateways(Plan(), "--bundle", "fake", "--store", "memory") as made:
        await made.strike(random.Random(0))
        assert (made.n_killed, made.n_stopped) == (1, 0)
        async with seem_client.connect_async(made.address, token="") as client:
            assert (await client.model()).provider == "fake"


async def test_of_several_some_are_stopped_and_two_may_go_at_once(monkeypatch, tmp_path):
    envoy_program()
    monkeypatch.setattr(gateways, "TOGETHER", 1.0)
    monkeypatch.setattr(gateways, "POLITELY", 0.5)
    flags = ("--bundle", "fake", "--store", f"sqlite:{tmp_path}/s.sqlite")
    async with Gateways(Plan(2, FRONT), *flags) as made:
        await made.strike(random.Random(3))
        assert made.n_killed + made.n_stopped == 2
        async with seem_client.connect_async(made.address, token="") as client:
            assert (await client.model()).provider == "fake"
