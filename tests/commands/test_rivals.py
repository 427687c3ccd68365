from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest

from seem_server.cli import main
from seem_server.commands import rivals
from seem_server.commands.bench import IMAGE_SIZE
from seem_server.commands.rivals import OURS, PUBLISHED, REFERENCE, Answered, Field
from seem_wire.errors import InvalidValue


class Scripted:
    """Takes a fixed time for a first mask and for a click, and marks the upper `rows`."""

    def __init__(self, first_ms, click_ms, rows=434):
        self._first_ms, self._click_ms = first_ms, click_ms
        self._mask = np.zeros(IMAGE_SIZE, np.bool_)
        self._mask[:rows] = True
        self.clicks = []

    def first(self, image, click):
        assert image.read_bytes().startswith(b"\xff\xd8")
        self.clicks.append([click])
        return Answered(self._first_ms, self._mask)

    def later(self, clicks):
        self.clicks.append(list(clicks))
        return Answered(self._click_ms, self._mask)


@pytest.fixture
def field_of():
    def make(**contestants):
        with ExitStack() as stack:
            there = Field(stack, threads=2)
            there.contestants |= contestants
            return there

    return make


def test_everybody_cuts_the_same_out_of_the_same_pictures(field_of, tmp_path):
    ours, sam = Scripted(50, 10), Scripted(2000, 100)
    there = field_of(**{OURS: ours, "SAM ViT-B": sam})
    result = rivals.bench_rivals(there, tmp_path, pictures=2)
    assert ours.clicks == sam.clicks
    assert [len(clicks) for clicks in ours.clicks] == [1, 2, 3] * 3  # one picture to warm up
    (one,) = result.comparisons
    assert (one.first_mask, one.click) == (40, 10)


def test_the_published_server_is_held_against_the_reference_and_its_masks(field_of, tmp_path):
    there = field_of(**{PUBLISHED: Scripted(1, 1), REFERENCE: Scripted(100, 60, rows=217)})
    result = rivals.bench_rivals(there, tmp_path, pictures=1)
    (one,) = result.comparisons
    assert (one.ours, one.rival, one.click) == (PUBLISHED, REFERENCE, 60)
    assert result.same_masks == pytest.approx(0.5)


def test_who_is_absent_is_told_with_the_reason(field_of, tmp_path):
    there = field_of(**{OURS: Scripted(1, 1)})
    there.absent["EdgeTAM"] = "timm is not installed"
    text = rivals.as_text(rivals.bench_rivals(there, tmp_path, pictures=1))
    assert "EdgeTAM is not there: timm is not installed" in text
    assert OURS in text


def test_a_bundle_needs_its_checkpoint(capsys):
    assert main(["bench", "rivals", "--published", "somewhere"]) != 0
    assert "--checkpoint" in capsys.readouterr().err


def test_a_server_that_runs_already_cannot_be_measured_so(capsys):
    assert main(["bench", "rivals", "--server", "localhost:1"]) != 0
    assert "--server" in capsys.readouterr().err


def test_a_program_that_ends_at_once_is_told(tmp_path):
    pytest.importorskip("torch")
    with ExitStack() as stack, pytest.raises(InvalidValue, match="exit code"):
        Field(stack, threads=1).add_program(REFERENCE, "reference", f"--checkpoint={tmp_path}/no")
