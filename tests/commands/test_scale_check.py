from __future__ import annotations

import asyncio
import importlib.util

import seem_client
from seem_server.app import local_server
from seem_server.commands import scale_check
from seem_server.commands.bench import made_photos
from seem_server.commands.scale_check import Checked
from seem_server.commands.simulation import Habits, Outcome, StageTimes
from seem_server.settings import Settings


def test_real_annotators_click_at_a_server():
    async def click(address):
        async with seem_client.connect_async(address, token="") as client:
            habits = Habits(think_s=0.02, objects=2, clicks=2)
            photos = list(made_photos(2))
            return await scale_check.click_for(client, 2, habits, photos, seconds=2)

    with local_server(Settings(bundle="fake", store="memory", port=0)) as address:
        found = asyncio.run(click(address))
    assert found.clicks_s > 0
    assert found.click_ms[2] >= found.click_ms[0] > 0


def test_each_number_of_annotators_stands_beside_its_simulation(monkeypatch):
    monkeypatch.setattr(scale_check, "ANNOTATORS", (1, 2))
    monkeypatch.setattr(scale_check, "PHOTOS", 4)
    monkeypatch.setattr(scale_check, "HURRY", 0.05)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    own, times = Settings(bundle="fake", store="memory"), StageTimes(2, 3)
    found = asyncio.run(scale_check.check(own, times, seconds=1))
    assert [(one.replicas, one.annotators) for one in found] == [(0, 1), (0, 2)]
    for one in found:
        assert one.real.clicks_s > 0
        assert one.simulated.click_ms[0] >= 3


def test_the_table_says_where_they_clicked():
    outcome = Outcome((1.0, 2.0, 3.0), 4.0, 0.0, 1.0)
    lines = scale_check.as_lines([Checked(n, 2, outcome, outcome) for n in (0, 3)])
    assert "the server itself" in lines[2]
    assert "3 replicas" in lines[3]
    assert "4.0 | 1.0 | 2.0" in lines[3]
