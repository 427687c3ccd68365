from __future__ import annotations

import pytest

from seem_server.commands.presence import THRESHOLDS, Judged, operating_curve, roc_auc


def judged(there, absent):
    return [Judged(one, there=True) for one in there] + [Judged(one, there=False) for one in absent]


@pytest.mark.parametrize(
    ("there", "absent", "expected"),
    [
        ([0.9, 0.8], [0.1, 0.2], 1.0),
        ([0.1], [0.9], 0.0),
        ([0.5], [0.5], 0.5),
        ([0.2, 0.8], [0.5], 0.5),
    ],
)
def test_auc_is_how_often_what_is_there_is_surer(there, absent, expected):
    assert roc_auc(judged(there, absent)) == pytest.approx(expected)


def test_with_one_kind_only_there_is_nothing_to_tell_apart():
    assert roc_auc(judged([0.5], [])) is None
    assert operating_curve(judged([], [0.5])) == ()


def test_the_curve_says_what_each_threshold_would_do():
    curve = operating_curve(judged([0.9, 0.25], [0.05, 0.35]))
    by_threshold = {point.threshold: point for point in curve}
    assert tuple(by_threshold) == THRESHOLDS
    assert (by_threshold[0.3].absent_answered, by_threshold[0.3].false_absence) == (0.5, 0.5)
    assert (by_threshold[0.1].absent_answered, by_threshold[0.1].false_absence) == (0.5, 0.0)
