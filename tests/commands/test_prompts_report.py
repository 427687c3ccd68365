from __future__ import annotations

import json

import pytest

from seem_server.commands.annotators import Way
from seem_server.commands.companions import Ablation, summarise_ablation
from seem_server.commands.hypotheses import Offer, summarise
from seem_server.commands.interactive import Report
from seem_server.commands.prompts_report import (
    PROMPTS,
    ExamplesReport,
    PromptsReport,
    as_json,
    as_text,
)
from seem_server.commands.scores import Course, Figure

EXACT = (Course("a", (0.8, 0.9), (0.7, 0.8), 1), Course("b", (0.5,), (0.5,), 2))
TREMBLING = (Course("a", (0.7, 0.9), (0.7, 0.8), 1), Course("b", (0.5,), (0.5,), 2))


def reported(**courses):
    played = {Way(way.replace("_", "-")): some for way, some in courses.items()}
    return PromptsReport("m@1", "cpu", 2, 2, Report("m@1", "cpu", 2, 20, played))


def with_everything():
    iou = Figure.of([("a", 0.5), ("a", 0.7)])
    examples = ExamplesReport(iou, iou, lonely=3, unnamed=4, partial=1, pairs=((0.5, 0.5),))
    together = summarise_ablation([Ablation("a", 0.1, 0.2, 0.3, 0.5)])
    return PromptsReport("m@1", "cpu", 2, 2, None, examples, together)


def test_every_prompt_has_a_name():
    assert set(PROMPTS) == {
        "clicks", "box", "scribble", "lasso", "mask", "jittered-clicks", "mixed", "example",
        "text+click", "hypotheses",
    }  # fmt: skip


def test_the_keys_of_exact_clicks_are_where_they_always_were():
    told = json.loads(json.dumps(as_json(reported(clicks=EXACT), "dataset")))
    assert told["overall"]["iou"]["1"]["mean"] == pytest.approx(0.65)
    assert set(told["sources"]) == {"a", "b"}
    assert (told["objects"], told["max_clicks"], told["click_ms"]) == (2, 20, None)


def test_each_prompt_has_its_means_with_errors_over_all_and_by_source():
    told = json.loads(json.dumps(as_json(reported(box=EXACT), "dataset")))
    box = told["prompts"]["box"]
    assert set(box["iou"]) == {"1", "3", "5"}
    assert box["iou"]["1"]["overall"]["standard_error"] == pytest.approx(0.15)
    assert set(box["iou"]["1"]["sources"]) == {"a", "b"}
    assert box["reliability"]["count"] == 2
    assert "overall" not in told


def test_what_trembling_loses_is_told_where_exact_clicks_were_played():
    told = as_json(reported(clicks=EXACT, jittered_clicks=TREMBLING), "dataset")
    lost = told["prompts"]["jittered-clicks"]["lost_against_exact_clicks"]
    assert lost[1]["overall"]["mean"] == pytest.approx(0.05)
    assert lost[3]["overall"]["mean"] == 0.0
    text = as_text(reported(clicks=EXACT, jittered_clicks=TREMBLING))
    assert "lose against exact ones:  0.050 ± 0.050" in text


def test_jittered_clicks_alone_are_told_without_a_loss():
    told = as_json(reported(jittered_clicks=TREMBLING), "dataset")
    assert "lost_against_exact_clicks" not in told["prompts"]["jittered-clicks"]
    assert "overall" not in told
    assert "lose against" not in as_text(reported(jittered_clicks=TREMBLING))


def test_examples_and_words_with_clicks_are_told():
    told = json.loads(json.dumps(as_json(with_everything(), "dataset")))["prompts"]
    assert told["example"]["iou"]["overall"]["mean"] == pytest.approx(0.6)
    assert told["example"]["skipped"] == {"lonely": 3, "unnamed": 4}
    assert told["text+click"]["gain_over_words"]["overall"]["mean"] == pytest.approx(0.4)


def test_the_text_shows_examples_and_words_beside_clicks():
    text = as_text(with_everything())
    assert "0.600 ± 0.100" in text
    assert "gain 0.400 over words and 0.200 over a click, on 1 objects" in text


def with_hypotheses():
    offered = summarise([Offer("a", (0.5, 0.9), (0.6, 0.3)), Offer("b", (0.7,), (0.7,))])
    return PromptsReport("m@1", "cpu", 2, 2, hypotheses=offered)


def test_hypotheses_are_told_with_their_own_reliability():
    told = json.loads(json.dumps(as_json(with_hypotheses(), "dataset")))
    offered = told["prompts"]["hypotheses"]
    assert offered["objects"] == 2
    assert offered["chosen_iou"]["overall"]["mean"] == pytest.approx(0.6)
    assert offered["best_iou"]["overall"]["standard_error"] == pytest.approx(0.1)
    assert offered["best_chosen"]["sources"]["b"]["mean"] == 1.0
    assert offered["sent"]["overall"]["mean"] == 1.5
    assert offered["reliability"]["count"] == 3
    assert told["reliability"] is None


def test_the_text_shows_the_best_hypothesis_beside_the_chosen_one():
    lines = as_text(with_hypotheses()).splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["hypotheses", "a", "b", "all"]
    assert "0.600 ± 0.100  0.800 ± 0.100  0.500 ± 0.500  1.500 ± 0.500" in lines[3]
    assert "asks for all that it may have meant" in lines[-1]


def test_the_protocol_of_clicks_is_not_buried_under_others():
    assert "lasso" not in as_text(reported(clicks=EXACT))
    assert "lasso" in as_text(reported(clicks=EXACT, box=EXACT))
