"""`seem bench video`: what is drawn, that a leak would be seen, and the whole of it once."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from seem_server.cli import main
from seem_server.commands import filming
from seem_server.commands.filming import Film, LongVideo, Side, VideoBench

GOOD = VideoBench(
    "m@1", "cpu",
    long=LongVideo(100, [100.0, 100.0], 0.001, 20.0, 40.0, 1.2, 1.3, 3000, 50_000, 0.99),
    side=Side(30.0, 60.0, 25.0, 4.0), first_mask_ms={10: 50.0, 10_000: 51.0}, after_stop=[0, 1],
)  # fmt: skip


def met(result):
    return {one.goal.key: one.met for one in filming.verdicts(result)}


def test_frames_are_drawn_by_rule_and_discs_stay_apart():
    film = Film(200, take=1)
    pixels = np.asarray(Image.open(io.BytesIO(film[17])))
    assert pixels.shape == (*filming.SIZE, 3)
    assert film[17] == Film(200, take=1)[17] != Film(200, take=2)[17]
    for disc in range(filming.MANY):
        x, y = filming.place(17, disc)
        assert filming.RADIUS < x < filming.SIZE[1] - filming.RADIUS
        assert filming.RADIUS < y < filming.SIZE[0] - filming.RADIUS
    middles = np.array([filming.place(17, disc) for disc in range(filming.MANY)])
    gaps = np.linalg.norm(middles[:, None] - middles[None], axis=-1)
    assert gaps[~np.eye(len(gaps), dtype=bool)].min() > 2 * filming.RADIUS


def test_a_film_is_a_list_of_frames_and_ground_and_discs_move():
    film = Film(3, take=1)
    assert film[1:] == [film[1], film[2]]
    with pytest.raises(IndexError):
        film[3]
    assert np.array_equal(film.picture(0)[0, :-2], film.picture(1)[1, 2:])
    assert filming.place(0, 0) != filming.place(1, 0)
    assert filming.place(0, 0) == pytest.approx(filming.place(filming.TURN, 0))


def test_all_goals_are_met_by_what_is_good():
    assert set(met(GOOD).values()) == {True}
    assert "not met" not in filming.as_text(GOOD)


@pytest.mark.parametrize(
    ("key", "worse"),
    [
        ("growth", {"long": replace(GOOD.long, growth=0.03)}),
        ("last_to_first", {"long": replace(GOOD.long, last_encodes=1.5)}),
        ("many_to_one", {"side": replace(GOOD.side, many_ms=91.0)}),
        ("live_to_parts", {"side": replace(GOOD.side, click_ms=2.0)}),
        ("long_to_short", {"first_mask_ms": {10: 50.0, 10_000: 90.0}}),
        ("after_stop", {"after_stop": [0, 2]}),
        ("on_target", {"long": replace(GOOD.long, on_target=0.9)}),
    ],
)
def test_each_goal_can_be_missed_by_itself(key, worse):
    held = met(replace(GOOD, **worse))
    assert [one for one, is_met in held.items() if not is_met] == [key]


def test_all_of_it_runs_and_tells_one_document(capsys, monkeypatch):
    monkeypatch.setattr(filming, "ROUNDS", 2)
    monkeypatch.setattr(filming, "TRIES", 1)
    monkeypatch.setattr(filming, "SETTLING_S", 0)
    assert main(["bench", "video", "--bundle", "fake", "--frames", "12", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["goals"]) == {goal.key for goal in filming.GOALS}
    assert told["long"]["n_frames"] == 11
    assert len(told["long"]["resident_mb"]) == 11
    assert min(told["long"]["log_bytes"], told["long"]["state_bytes"]) > 0


def test_a_server_that_runs_already_is_not_measured(capsys):
    assert main(["bench", "video", "--server", "localhost:1"]) == 2
    assert "server of its own" in capsys.readouterr().err
