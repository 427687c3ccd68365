from __future__ import annotations

import json

import pytest
from made_dataset import annotation, block, made_dataset

from seem_server.cli import main
from seem_server.commands import evaluate_report
from seem_server.commands.evaluate_report import Results, figures
from seem_server.commands.goals import GOALS, judge
from seem_server.commands.machine import MachineFigures
from seem_server.commands.words import Answer, Kind, Question
from seem_server.commands.words_report import summarise

SQUARE = block(10, 10, 30, 50)
MACHINE = MachineFigures(2, 50.0, 0.5)
FAKE = ("--bundle", "fake", "--no-speed", "--json")


def results(**measured):
    nothing = {
        "stills": (), "examples": None, "text": None, "speed": None, "machine": MACHINE,
        "bundle_bytes": None, "skipped": (),
    }  # fmt: skip
    return Results(**(nothing | measured))


@pytest.fixture
def folder(tmp_path):
    for part in ("stills", "text"):
        (tmp_path / part).mkdir()
        listed = [annotation(n, SQUARE, image=n, category_id=1) for n in (1, 2)]
        sources = ("a", "a")
        made_dataset(tmp_path / part, listed, sources=sources, names=("cat",), exhaustive=True)
    return tmp_path


def test_all_that_the_folder_has_data_for_is_measured(folder, capsys):
    assert main(["evaluate", "report", str(folder), *FAKE]) == 0
    told = json.loads(capsys.readouterr().out)
    measured = {row["key"] for row in told["figures"] if row["measured"] is not None}
    assert measured >= {
        "iou_1", "iou_3", "noc_85", "noc_90", "failures_85", "jitter_loss", "box", "scribble",
        "mask", "mixed", "example", "text", "false_absence", "gain_over_words", "gain_over_click",
        "best_hypothesis", "best_chosen",
    }  # fmt: skip
    assert [row["key"] for row in told["figures"]] == [goal.key for goal in GOALS]
    assert (told["model"], told["speed"]) == ("fake@1", None)


def test_a_folder_with_one_part_is_measured_for_that_part(folder, capsys):
    (folder / "stills" / "annotations.json").unlink()
    assert main(["evaluate", "report", str(folder), *FAKE]) == 0
    told = json.loads(capsys.readouterr().out)
    measured = {row["key"] for row in told["figures"] if row["measured"] is not None}
    assert measured >= {"text", "example"}
    assert "iou_1" not in measured


def test_a_folder_with_neither_part_fails_with_a_sentence(tmp_path, capsys):
    assert main(["evaluate", "report", str(tmp_path), *FAKE]) == 1
    assert "holds neither stills/annotations.json nor text/" in capsys.readouterr().err


def test_the_report_is_written_as_json_and_as_a_table(folder, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    assert main(["evaluate", "report", str(folder), "--out", str(out), *FAKE]) == 0
    assert json.loads((out / "report.json").read_text()) == json.loads(capsys.readouterr().out)
    table = (out / "report.md").read_text("utf-8")
    assert "| IoU after 1 click" in table
    assert "measured goals met" in table
    assert "jittered-clicks lose against exact ones" in table
    assert (out / "reliability.png").stat().st_size > 0


def test_speed_is_measured_in_the_same_run_with_bare_figures_beside(folder, capsys):
    (folder / "stills" / "annotations.json").unlink()
    words = ["--bundle", "fake", "--timed-clicks", "5"]
    assert main(["evaluate", "report", str(folder), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    (click,) = [line for line in lines if "click on a cached image" in line]
    assert "bare gRPC echo" in click
    (encode,) = [line for line in lines if "encoding a new image" in line]
    assert "GFLOP/s bare" in encode


def test_what_a_server_refuses_is_skipped_and_said(folder, capsys, monkeypatch):
    measure = evaluate_report.measure_prompts

    def refusing(client, dataset, prompts, **more):
        if prompts == ("mask",):
            raise evaluate_report.CallerError("No masks here.")
        return measure(client, dataset, prompts, **more)

    monkeypatch.setattr(evaluate_report, "measure_prompts", refusing)
    assert main(["evaluate", "report", str(folder), *FAKE]) == 0
    told = json.loads(capsys.readouterr().out)
    assert any(reason.startswith("mask: No masks here.") for reason in told["skipped"])


def test_words_and_presence_become_figures():
    answers = [
        Answer("a", "1.png", Question(Kind.NAME, "cat", "cat"), 0.8, 0.5, 0.9, is_present=True),
        Answer("a", "1.png", Question(Kind.SYNONYM, "cat", "pet"), 0.7, 0.5, 0.9, is_present=True),
        Answer("a", "1.png", Question(Kind.ABSENT, "dog", "dog"), None, 0.5, 0.1, is_present=False),
    ]
    found = figures(results(text=summarise(answers, model_id="m@1", provider="cpu")))
    assert found["text"].value == 0.8
    assert found["synonym_cost"].value == pytest.approx(0.1)
    assert (found["absent_answered"].value, found["false_absence"].value) == (100.0, 0.0)
    assert found["presence_auc"].value == 1.0
    assert {one.goal.key: one.met for one in judge(found)}["synonym_cost"] is False


def test_the_size_of_a_bundle_is_in_megabytes():
    assert figures(results(bundle_bytes=45_000_000))["bundle_mb"].value == 45.0
