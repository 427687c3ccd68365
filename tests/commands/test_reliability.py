from __future__ import annotations

import pytest

from seem_server.commands.reliability import BINS, as_lines, reliability


def test_beliefs_are_binned_with_their_means():
    found = reliability([(0.12, 0.5), (0.18, 0.3), (1.0, 0.9)])
    assert len(found.bins) == BINS
    second, last = found.bins[1], found.bins[-1]
    assert (second.count, second.predicted, second.achieved) == (2, pytest.approx(0.15), 0.4)
    assert (last.count, last.low, last.high, last.predicted) == (1, 0.9, 1.0, 1.0)
    assert (found.bins[0].count, found.bins[0].predicted) == (0, None)


def test_the_calibration_error_weighs_each_bin_by_its_size():
    # bins at distances 0.25 (two of them) and 0.1 (one of them)
    found = reliability([(0.12, 0.5), (0.18, 0.3), (1.0, 0.9)])
    assert found.calibration_error == pytest.approx((2 * 0.25 + 0.1) / 3)


def test_errors_within_a_bin_cancel_in_calibration_and_not_in_squares():
    found = reliability([(0.5, 0.0), (0.5, 1.0)])
    assert found.calibration_error == 0.0
    assert found.squared_error == 0.25


def test_correlation_is_that_of_pearson():
    assert reliability([(0.1, 0.2), (0.5, 0.6), (0.9, 1.0)]).correlation == pytest.approx(1.0)
    assert reliability([(0.5, 0.2), (0.5, 0.9)]).correlation is None


def test_no_beliefs_have_no_reliability():
    assert reliability([]) is None


def test_the_table_shows_what_there_is():
    lines = as_lines(reliability([(0.12, 0.5), (1.0, 0.9)]), "score", "IoU")
    assert len(lines) == 4
    assert lines[1].split() == ["0.1", "to", "0.2", "1", "0.120", "0.500"]
    assert "expected calibration error" in lines[-1]
