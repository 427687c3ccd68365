"""`seem bench chaos`: that nothing is lost, and that a loss would be seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seem_server.cli import main
from seem_server.commands import chaos
from seem_server.commands.chaos import Course, Move

MOVE = Move("click", 1, (5.0, 6.0, 70.0, 80.0))


async def test_a_server_that_is_killed_again_and_again_loses_nothing():
    report = await chaos.bench_chaos("tiny", kills=2, annotators=2)
    assert report.nothing_was_lost
    assert report.commands > 0
    assert report.kills == 2
    assert chaos.as_text(report).endswith("nothing was lost")


@pytest.mark.parametrize(
    "lost",
    [
        {"answers_lost": 1},
        {"masks_different": 1},
        {"sessions_lost": 1},
        {"hung": 1},
        {"failed": 1},
    ],
)
def test_any_loss_is_told(lost):
    report = replace(chaos.ChaosReport("m@1", 1, 1, 9, 0, 0, 0, 0, 0.5, 2.0), **lost)
    assert not report.nothing_was_lost
    assert "SOMETHING WAS LOST" in chaos.as_text(report)


def test_answers_and_masks_that_differ_are_counted():
    course = Course(0, [MOVE] * 2, [("a",), ("b",)], standing=(("a",),), attached=(("a",), ("c",)))
    peace = Course(0, [MOVE] * 2, [("a",), ("x",)], standing=(("a",),), attached=(("a",),))
    assert chaos._n_different(course, peace) == 1
    assert chaos._n_masks_different(course, peace) == 1


def test_gateways_and_their_stops_are_told():
    report = chaos.ChaosReport("m@1", 1, 1, 9, 0, 0, 0, 0, 0.5, 2.0, gateways=3, stops=4)
    assert "1 kills, 4 stops of 3 gateways" in chaos.as_text(report)


def test_a_server_of_somebody_else_is_not_killed(capsys):
    assert main(["bench", "chaos", "--server", "localhost:1"]) == 2
    assert "servers of its own" in capsys.readouterr().err
