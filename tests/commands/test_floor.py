from __future__ import annotations

import json

import pytest

from seem_server.cli import main
from seem_server.commands import floor
from seem_server.runtime.bundle import read_bundle


@pytest.fixture(scope="module")
def result():
    return floor.bench_floor(read_bundle("tiny"), provider="cpu", threads=1, times=2)


def test_each_stage_has_a_floor_and_a_time_for_it(result):
    assert len(result.stages) == 10
    for stage in result.stages:
        assert stage.floor_ms > 0
        assert stage.ratio == pytest.approx(stage.times_ms.p50 / stage.floor_ms)


def test_no_kernel_is_quicker_than_the_ceiling(result):
    for stage in result.stages:
        if stage.kernels:
            assert stage.kernels_ms >= 1000 * stage.operations / result.ceilings.operations_s


def test_the_table_has_a_line_for_each_stage(result):
    lines = floor.as_text(result).splitlines()
    assert sum(line.startswith("| ") for line in lines) == len(result.stages) + 2
    assert "decode a click" in floor.as_text(result)
    assert lines[-1].endswith("quick as can be.")


def test_the_command_prints_one_document(capsys):
    assert main(["bench", "floor", "--bundle", "tiny", "--clicks", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provider"] == "cpu"


def test_another_machine_has_other_floors(capsys):
    assert main(["bench", "floor", "--server", "localhost:1"]) != 0
    assert "--server" in capsys.readouterr().err
