from __future__ import annotations

import json

import pytest

from seem_server.commands.words import Answer, Kind, Question
from seem_server.commands.words_report import as_json, as_text, summarise


def answer(kind, name, iou, *, said=None, presence=None, is_present=True, image="1.png"):
    question = Question(kind, name, said or name)
    return Answer("a", image, question, iou, 0.5, presence, is_present)


def reported(*answers):
    return summarise(answers, model_id="m@1", provider="cpu")


SEEN = [
    answer(Kind.NAME, "couch", 0.8, presence=0.9),
    answer(Kind.NAME, "cat", 0.4, presence=0.2, is_present=False),
    answer(Kind.SYNONYM, "couch", 0.6, said="sofa"),
    answer(Kind.SYNONYM, "couch", 0.8, said="settee"),
    answer(Kind.ABSENT, "dog", None, presence=0.1, is_present=False),
    answer(Kind.ABSENT, "cow", None, presence=0.6),
]


def test_the_mean_counts_every_name_of_every_image_the_same():
    report = reported(*SEEN, answer(Kind.NAME, "cat", 0.0, image="2.png"))
    assert (report.iou.count, report.iou.overall.mean) == (3, pytest.approx(0.4))
    assert report.categories["cat"].overall.mean == pytest.approx(0.2)
    assert report.images == 2


def test_a_synonym_costs_what_its_name_has_more():
    report = reported(*SEEN)
    assert (report.synonym_cost.count, report.synonym_cost.overall.mean) == (1, pytest.approx(0.1))
    assert report.synonyms["sofa"].overall.mean == pytest.approx(0.2)
    assert report.synonyms["settee"].overall.mean == 0.0


def test_both_errors_of_presence_are_shares():
    report = reported(*SEEN)
    assert report.absent_answered.overall.mean == 0.5
    assert report.false_absence.overall.mean == 0.5
    assert report.roc_auc == pytest.approx(0.75)
    assert len(report.curve) > 5


def test_where_nobody_says_how_sure_he_is_there_is_no_curve():
    report = reported(answer(Kind.NAME, "cat", 0.5), answer(Kind.ABSENT, "dog", None))
    assert (report.roc_auc, report.curve, report.presence_reliability) == (None, (), None)
    assert report.score_reliability.count == 1


def test_json_has_the_figures_and_every_answer():
    told = json.loads(json.dumps(as_json(reported(*SEEN))))
    assert told["iou"]["overall"]["mean"] == pytest.approx(0.6)
    assert set(told["curve"][0]) == {"threshold", "absent_answered", "false_absence"}
    assert told["answers"][2]["said"] == "sofa"
    assert told["answers"][2]["kind"] == "synonym"
    assert told["presence_reliability"]["count"] == 4


def test_the_table_says_all_of_it():
    text = as_text(reported(*SEEN))
    assert [line.split()[0] for line in text.splitlines()[:3]] == ["source", "a", "all"]
    for words in ("never seen costs 0.100", "ROC AUC", "Worst of 2 names: cat 0.40", "crowds"):
        assert words in text


def test_nothing_asked_is_nothing_reported():
    report = reported()
    assert report.iou is report.synonym_cost is report.absent_answered is None
    assert "all" in as_text(report)
