from __future__ import annotations

import json

import pytest
from made_dataset import annotation, block, made_dataset

from seem_server.cli import main

FAKE = ("--bundle", "fake", "--max-clicks", "3")


@pytest.fixture
def dataset(tmp_path):
    listed = [annotation(n, block(10, 10, 30, 50), image=n) for n in (1, 2)]
    return str(made_dataset(tmp_path, listed, sources=("a", "b")))


def test_json_is_one_document_with_the_promised_numbers(dataset, capsys):
    assert main(["evaluate", "interactive", dataset, "--json", *FAKE]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["images"], told["objects"], told["max_clicks"]) == (2, 2, 3)
    assert set(told["overall"]["iou"]) == {"1", "3", "5", "10"}
    assert set(told["overall"]["noc"]) == set(told["overall"]["failures"]) == {"80", "85", "90"}
    assert set(told["overall"]["iou"]["1"]) == {"mean", "standard_error"}
    assert set(told["sources"]) == {"a", "b"}
    assert told["click_ms"]["p50"] > 0


def test_the_table_has_a_row_for_each_source_and_one_for_all(dataset, capsys):
    assert main(["evaluate", "interactive", dataset, *FAKE]) == 0
    shown = capsys.readouterr()
    first_words = [line.split()[0] for line in shown.out.splitlines()]
    assert first_words[:4] == ["source", "a", "b", "all"]
    assert "carried on" in shown.out
    assert shown.err == ""  # no terminal: no bar


def test_a_limit_plays_fewer(dataset, capsys):
    main(["evaluate", "interactive", dataset, "--limit", "1", "--json", *FAKE])
    assert json.loads(capsys.readouterr().out)["objects"] == 1


def test_a_folder_that_is_no_dataset_fails_with_a_sentence(tmp_path, capsys):
    assert main(["evaluate", "interactive", str(tmp_path), *FAKE]) == 1
    shown = capsys.readouterr()
    assert "is no dataset" in shown.err
    assert shown.out == ""


def test_a_dataset_without_objects_fails_with_a_sentence(tmp_path, capsys):
    assert main(["evaluate", "interactive", str(made_dataset(tmp_path, [])), *FAKE]) == 1
    assert "marks no object" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_is_a_number_from_one_on(dataset, limit):
    assert main(["evaluate", "interactive", dataset, f"--limit={limit}"]) == 2


@pytest.fixture
def named(tmp_path):
    listed = [
        annotation(n, block(10, 10, 30, 50), image=n, category_id=min(n, 2)) for n in (1, 2, 3)
    ]
    return str(
        made_dataset(
            tmp_path, listed, sources=("a", "a", "a"), names=("cat", "dog"), exhaustive=True
        )
    )


def test_several_prompts_are_played_in_one_run(named, tmp_path, capsys):
    drawn = tmp_path / "diagram.png"
    prompts = "clicks,jittered-clicks,box,scribble,mask,example,text+click,hypotheses"
    words = ["interactive", named, "--prompts", prompts, "--reliability", str(drawn), "--json"]
    assert main(["evaluate", *words, *FAKE]) == 0
    told = json.loads(capsys.readouterr().out)
    assert ",".join(told["prompts"]) == prompts
    assert told["prompts"]["example"]["iou"]["count"] == 2
    assert told["reliability"]["count"] > 0
    assert told["prompts"]["hypotheses"]["sent"]["overall"]["mean"] > 1
    assert drawn.stat().st_size > 0


def test_a_prompt_that_is_none_is_refused_with_a_list(named, capsys):
    assert main(["evaluate", "interactive", named, "--prompts", "box,wink"]) == 2
    assert "'wink' is no prompt; there are clicks, box" in capsys.readouterr().err


def test_words_are_evaluated_as_one_document(named, tmp_path, capsys):
    synonyms = tmp_path / "synonyms.json"
    synonyms.write_text(json.dumps({"cat": {"train": [], "held_out": ["kitten"]}}))
    words = ["text", named, "--synonyms", str(synonyms), "--json", "--bundle", "fake"]
    assert main(["evaluate", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dataset"] == named
    assert told["iou"]["count"] == 3
    assert told["synonym_cost"]["count"] == 1
    assert told["absent_answered"]["count"] == 3
    assert set(told["categories"]) == {"cat", "dog"}


def test_words_are_evaluated_as_a_table(named, capsys):
    assert main(["evaluate", "text", named, "--limit", "2", "--bundle", "fake"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[2].split()[:2] == ["all", "2"]
    assert "word/s" not in shown.err  # no terminal: no bar
