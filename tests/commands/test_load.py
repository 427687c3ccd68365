"""`seem bench load`: that every click is accounted for, and that a wrong refusal would be seen."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from secure_words import Files, guarded

from seem_server.cli import main
from seem_server.commands import load
from seem_server.commands.bench import COURSE
from seem_server.service.callers import line_of
from seem_wire import errors
from seem_wire.types import Timings

TOKENS = {name: f"t0ken-of-{name}-that-nobody-else-has" for name in load.TENANTS}


async def test_every_click_ends_and_is_refused_for_want_of_room_alone(tmp_path):
    callers = tmp_path / "callers.txt"
    callers.write_text("\n".join(line_of(name, "bench", TOKENS[name]) for name in load.TENANTS))
    options = {"max_wait_s": 1e-9, "fake_decode_s": 0.002, "tokens_file": str(callers)}
    async with guarded(Files(tmp_path), **options) as running:
        report = await load.bench_load(running.address, TOKENS, seconds=0.4, sessions=6)
    assert report.refused_well
    assert report.provider == "fake"
    for part in (report.unloaded, report.light_alone, report.overload, report.heavy):
        assert part.answered > 0
    assert report.overload.refusals.keys() == {load.EXHAUSTED}
    assert report.unloaded.refusals == {}
    assert report.overload.answered_per_s == pytest.approx(report.goodput * report.capacity_per_s)


def clicks(**changes):
    tally = load.Tally(
        *(2.0, 0.5),
        sent=4,
        client_ms=[10.0, 20.0, 30.0],
        server_ms=[5.0] * 3,
        queue_ms=[1.0] * 3,
        refusals=Counter({load.EXHAUSTED: 1}),
    )
    return load.Clicks.of(replace(tally, **changes))


def test_a_tally_comes_to_rates_and_percentiles():
    found = clicks()
    assert (found.sent_per_s, found.answered_per_s, found.client_cpu) == (2.0, 1.5, 0.25)
    assert found.client_ms == load.Percentiles(20.0, pytest.approx(29.8))
    assert (found.answered, found.unended, found.refused_well) == (3, 0, True)


@pytest.mark.parametrize(
    "badly", [{"without_hint": 1}, {"sent": 5}, {"refusals": Counter({"UNAVAILABLE": 1})}]
)
def test_a_click_that_never_ended_or_was_refused_otherwise_is_told(badly):
    wrong = report(heavy=clicks(**badly))
    assert not wrong.refused_well
    assert "missed" in load.as_text(wrong).splitlines()[-2]


def report(**changes):
    part = clicks()
    made = load.LoadReport(
        *("m@1", "cpu", 64, part, 50.0, part, part, part, part, part, 2.0, 0.9, 1.2, 0.97)
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({}, ["OK"] * 3),
        ({"slowdown": 3.01, "harm": 1.51, "fairness": 0.89}, ["missed"] * 3),
    ],
)
def test_what_was_measured_is_held_against_the_goals(changes, verdicts):
    lines = load.as_text(report(**changes)).splitlines()
    assert [line.split()[-1] for line in lines[-5:-2]] == verdicts
    assert lines[-2].endswith("OK")
    assert any(line.startswith("capacity 50 clicks/s; under overload 90 %") for line in lines)


class Session:
    """Notes what it is told, and answers or refuses."""

    def __init__(self, refusal=None):
        self.said = []
        self.refusal = refusal

    async def clear(self):
        self.said.append("clear")

    async def box(self, *_):
        return self._answer("box")

    async def click(self, *_):
        return self._answer("click")

    def _answer(self, what):
        self.said.append(what)
        if self.refusal is not None:
            raise self.refusal
        return self

    timings = Timings(total_ms=7, queue_ms=2)


async def test_an_annotator_begins_each_object_with_a_box_and_clicks_until_the_next():
    session, tally = Session(), load.Tally()
    annotator = load.Annotator(session, 0)
    for _ in range(COURSE + 2):
        assert await annotator.click(tally) == 0
    assert session.said == ["box", *["click"] * (COURSE - 1), "clear", "box", "click"]
    assert (tally.sent, tally.server_ms[0], tally.queue_ms[0]) == (COURSE + 2, 7, 2)


async def test_a_refusal_is_counted_by_its_status_and_tells_when_to_come_again():
    tally = load.Tally()
    session = Session(errors.Overloaded("Full.", retry_after_ms=250))
    assert await load.Annotator(session, 0).click(tally) == 0.25
    session.refusal = errors.Disconnected("Gone.")
    assert await load.Annotator(session, 0).click(tally) == 0
    assert tally.refusals == {"RESOURCE_EXHAUSTED": 1, "UNAVAILABLE": 1}
    assert tally.without_hint == 1


def test_a_server_of_somebody_else_is_not_loaded(capsys):
    assert main(["bench", "load", "--server", "localhost:1"]) == 2
    assert "server of its own" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_loads_a_server_of_its_own(capsys):
    words = ["bench", "load", "--bundle", "fake", "--seconds", "1", "--sessions", "8", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["overload"]["answered"] > 0


@pytest.mark.parametrize(
    ("counts", "fairness"), [([5, 5, 5], 1.0), ([9, 0, 0], 1 / 3), ([2, 1], 0.9), ([0, 0], 0.0)]
)
def test_fairness_is_1_where_all_have_as_much_and_less_where_few_have_more(counts, fairness):
    assert load.jain(counts) == pytest.approx(fairness)
