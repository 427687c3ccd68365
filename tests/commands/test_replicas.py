from __future__ import annotations

import asyncio
import json

import pytest

import seem_client
from seem_server.app import local_server
from seem_server.cli import main
from seem_server.commands import replicas
from seem_server.commands.bench import made_photos
from seem_server.settings import Settings


def test_annotators_click_without_a_pause_for_as_long_as_they_are_told():
    async def click(address):
        async with seem_client.connect_async(address, token="") as client:
            return await replicas.clicks_s(client, list(made_photos(2)), seconds=3)

    one_by_one = {"fake_decode_s": 0.05, "max_batch": 1, "max_wait_s": 60}
    patient = Settings(bundle="fake", store="memory", **one_by_one)
    with local_server(patient) as address:
        found = asyncio.run(click(address))
    assert 0 < found <= 20.5  # one device: a click of 50 ms after the other


def test_more_replicas_are_held_against_as_many_times_one():
    rows = replicas.compared((1, 2, 4), (10.0, 18.0, 40.0))
    assert [row.share for row in rows] == pytest.approx([1.0, 0.9, 1.0])


def test_the_table_says_who_misses_the_goal():
    rows = replicas.compared((1, 4), (10.0, 20.0))
    text = replicas.as_text(replicas.ReplicasBench(0.2, rows))
    assert "| 1 | 10.0 | 1.00 | ≥ 0.85 met |" in text
    assert "| 4 | 20.0 | 0.50 | ≥ 0.85 missed |" in text


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_command_runs_gateways_with_replicas(capsys, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'seem-server[ray]'")
    monkeypatch.setattr(replicas, "REPLICAS", (1,))
    assert main(["bench", "replicas", "--seconds", "2", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["clicks_s"] > 0


def test_a_server_that_runs_already_cannot_be_measured_so(capsys):
    assert main(["bench", "replicas", "--server", "localhost:1"]) != 0
    assert "--server" in capsys.readouterr().err
