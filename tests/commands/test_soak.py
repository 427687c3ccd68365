"""`seem bench soak`: that everything is accounted for, and that a leak would be seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from service_words import served

from seem_server.cli import main
from seem_server.commands import soak
from seem_server.commands.reach import free_port


async def test_every_click_ends_and_nothing_is_left():
    port = free_port()
    async with served(metrics_port=port) as (running, _, _):
        report = await soak.bench_soak(running.address, port, clicks=60, annotators=3)
    assert (report.unaccounted, report.left) == (0, 0)
    assert report.clicks >= 60
    assert sum(report.ends.values()) == report.clicks
    assert report.ends["answered"] > 0


def test_growth_in_the_last_half_is_told():
    report = soak.SoakReport("m@1", 9, 1, {"answered": 9}, 0, 0, (100.0, 103.0), 0.03, 1.0)
    assert "+3.0%" in soak.as_text(report)
    assert "9 answered" in soak.as_text(replace(report, left=2))


def test_means_are_of_a_stretch_of_the_samples():
    samples = [1e6 * n for n in range(10)]
    assert soak._mean_mb(samples, 0.5, 0.6) == 5
    assert soak._mean_mb(samples, 0.9, 1.0) == 9
    assert soak._mean_mb([], 0.9, 1.0) == 0


def test_metrics_that_cannot_be_read_are_told(capsys):
    with pytest.raises(Exception, match="cannot be read"):
        soak._metrics(free_port())
    assert main(["bench", "soak", "--server", "localhost:1"]) == 2
    assert "server of its own" in capsys.readouterr().err
