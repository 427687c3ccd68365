from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fake_server import fake_client

from seem_server.cli import main
from seem_server.commands import scale
from seem_server.commands.simulation import Habits, Routing, StageTimes
from seem_server.settings import Settings
from seem_wire.errors import InvalidValue

TIMES = StageTimes(encode_ms=40, click_ms=10)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(scale, "ANNOTATORS", 40)
    monkeypatch.setattr(scale, "SIMULATED_S", 60.0)


def written(tmp_path, **times):
    path = tmp_path / "times.json"
    path.write_text(json.dumps(times))
    return path


def test_fewer_machines_would_be_late():
    found = scale.need(TIMES, Routing.AFFINITY, batched=False, price=2.0)
    assert found.outcome.click_ms[1] <= scale.GOAL_MS
    assert found.price == 2.0 * found.machines
    slow = replace(TIMES, click_ms=100, encode_ms=100)
    assert scale.need(slow, Routing.AFFINITY, batched=False, price=None).machines > found.machines


def test_what_is_late_on_any_number_of_machines_needs_no_number_of_them(monkeypatch):
    monkeypatch.setattr(scale, "MOST_MACHINES", 4)
    hopeless = replace(TIMES, encode_ms=2 * scale.GOAL_MS, click_ms=scale.GOAL_MS + 1)
    found = scale.need(hopeless, Routing.AFFINITY, batched=False, price=1.0)
    assert (found.machines, found.price) == (None, None)
    result = scale.ScaleBench("m@1", scale.GOAL_MS, hopeless, Habits(), (found,), ())
    assert "> 4" in scale.as_text(result)


def test_what_shares_runs_needs_no_more_machines():
    shared = replace(TIMES, click_ms=60, batch_share=0.1, most=8)
    alone, together = (
        scale.need(shared, Routing.AFFINITY, batched=batched, price=None)
        for batched in (False, True)
    )
    assert together.machines < alone.machines


def test_a_server_is_measured():
    with fake_client() as client:
        times = scale._times(client, clicks=3, images=1)
    assert times.click_ms > 0
    assert (times.batch_share, times.most) == (1.0, 1)


def test_another_machines_times_are_read(tmp_path, capsys):
    path = written(tmp_path, encode_ms=20, click_ms=4, batch_share=0.2, most=16)
    assert main(["bench", "scale", "--times", str(path), "--price", "3", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [need["batched"] for need in document["needs"]] == [False, True, False, True]
    assert all(need["price"] == 3 * need["machines"] for need in document["needs"])


def test_the_table_has_a_line_for_each_way(tmp_path, capsys):
    path = written(tmp_path, encode_ms=20, click_ms=4)
    assert main(["bench", "scale", "--times", str(path)]) == 0
    text = capsys.readouterr().out
    assert "| affinity |" in text
    assert "| any |" in text
    assert "encodings an image: " in text


@pytest.mark.parametrize("times", [{}, {"encode_ms": 0, "click_ms": 1}, {"encode": 1}])
def test_times_that_say_something_else_are_refused(tmp_path, times):
    with pytest.raises(InvalidValue, match=r"times\.json"):
        scale.read_times(written(tmp_path, **times))


def test_a_server_that_runs_already_cannot_be_measured_so(capsys):
    assert main(["bench", "scale", "--server", "localhost:1"]) != 0
    assert "--server" in capsys.readouterr().err


def test_a_machine_holds_as_many_images_as_its_cache_has_room_for():
    own = Settings(bundle="fake", store="memory")
    assert scale.features_bytes(own) == 3 * 4 * (256 // 4) * (192 // 4)  # the photo at stride 4
    model, times = scale.measure(replace(own, features_bytes=1 << 20), clicks=1, images=1)
    assert model == "fake@1"
    assert times.kept == (1 << 20) // scale.features_bytes(own)
