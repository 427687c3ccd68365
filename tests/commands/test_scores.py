from __future__ import annotations

import pytest

from seem_server.commands.scores import (
    Course,
    Figure,
    Mean,
    beliefs,
    by_source,
    iou_after,
    latency,
    lost_iou,
    summarise,
)

QUICK = Course("a", (0.7, 0.86, 0.96))
SLOW = Course("b", (0.1,) * 19 + (0.82,))
HOPELESS = Course("b", (0.2,) * 20)


@pytest.mark.parametrize(("clicks", "expected"), [(1, 0.7), (3, 0.96), (10, 0.96)])
def test_a_course_that_ended_early_carries_its_iou_on(clicks, expected):
    assert QUICK.iou_after(clicks) == expected


@pytest.mark.parametrize(
    ("course", "expected"), [(QUICK, (2, 2, 3)), (SLOW, (20, None, None)), (HOPELESS, (None,) * 3)]
)
def test_clicks_are_counted_to_the_first_iou_that_is_enough(course, expected):
    assert tuple(course.clicks_to(percent) for percent in (80, 85, 90)) == expected


def test_a_threshold_that_is_met_exactly_is_met():
    assert Course("a", (0.85,)).clicks_to(85) == 1


def test_a_lost_iou_does_not_take_back_that_it_was_reached():
    assert Course("a", (0.91, 0.5)).clicks_to(90) == 1


def test_a_failure_counts_as_all_clicks():
    summary = summarise([QUICK, SLOW, HOPELESS], 20)
    assert summary.noc[80].mean == pytest.approx((2 + 20 + 20) / 3)
    assert summary.failures == {80: 1, 85: 2, 90: 2}


def test_the_mean_iou_counts_every_object_the_same():
    summary = summarise([QUICK, HOPELESS], 20)
    assert summary.objects == 2
    assert [summary.iou[n].mean for n in (1, 3, 5, 10)] == pytest.approx([0.45, 0.58, 0.58, 0.58])


def test_the_standard_error_is_that_of_the_mean():
    # deviations -1, 0, 1: sample variance 1, error sqrt(1 / 3)
    assert Mean.of([1, 2, 3]) == Mean(2.0, pytest.approx(3**-0.5))


def test_one_value_has_no_standard_error():
    assert Mean.of([0.5]) == Mean(0.5, None)


def test_sources_are_summarised_apart_in_alphabetical_order():
    sources = by_source([SLOW, QUICK, HOPELESS], 20)
    assert [(name, one.objects) for name, one in sources.items()] == [("a", 1), ("b", 2)]


def test_latency_gives_percentiles_of_what_there_is():
    spread = latency([float(n) for n in range(101)])
    assert (spread.count, spread.p50, spread.p95) == (101, 50.0, 95.0)
    assert latency([]) is None


def test_a_figure_has_a_mean_over_all_and_over_each_source():
    figure = Figure.of([("b", 0.0), ("a", 1.0), ("b", 0.5)])
    assert (figure.count, figure.overall.mean) == (3, 0.5)
    assert [(name, one.mean) for name, one in figure.sources.items()] == [("a", 1.0), ("b", 0.25)]
    assert Figure.of([]) is None


def test_iou_is_reported_after_one_three_and_five_prompts():
    figures = iou_after([QUICK, HOPELESS])
    assert [figures[n].overall.mean for n in (1, 3, 5)] == pytest.approx([0.45, 0.58, 0.58])


def test_what_is_lost_is_compared_object_by_object():
    exact = [Course("a", (0.8, 0.9), annotation_id=1), Course("a", (0.5,), annotation_id=2)]
    other = [Course("a", (0.7, 0.9), annotation_id=1)]
    lost = lost_iou(exact, other)
    assert (lost[1].count, lost[1].overall.mean) == (1, pytest.approx(0.1))
    assert lost[3].overall.mean == 0.0


def test_beliefs_are_those_after_one_three_and_five_prompts_where_so_many_were_said():
    course = Course("a", (0.1, 0.2, 0.3, 0.4), (0.5, 0.6, 0.7, 0.8))
    assert beliefs([course, Course("a", (0.9,))]) == [(0.5, 0.1), (0.7, 0.3)]
