from __future__ import annotations

import json
from contextlib import nullcontext

import numpy as np
import pytest
from fake_video import FakeTracker, made_clips

from seem_server.cli import main
from seem_server.commands import video
from seem_server.commands.video import mean_of
from seem_server.commands.video_scores import FrameScore, VideoScore


def lower(index, object_id, mask):  # noqa: ARG001 - a flaw of the fake
    return np.roll(mask, 2, axis=0)


@pytest.fixture(autouse=True)
def client(monkeypatch):
    client = FakeTracker(flaw=lower)
    monkeypatch.setattr(video, "reach", lambda _: nullcontext(client))
    return client


@pytest.fixture
def dataset(tmp_path):
    return str(made_clips(tmp_path, ("bear", "duck"), 8))


def run_json(capsys, *words):
    assert main(["evaluate", "video", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_has_every_figure_overall_and_by_sequence(dataset, capsys):
    told = run_json(capsys, dataset)
    assert (told["benchmark"], told["dataset"], told["model"]) == ("video", dataset, "fake")
    found = told["prompts"]["mask"]
    assert set(found["sequences"]) == {"bear", "duck"}
    for scores in (found["overall"], found["sequences"]["bear"]):
        assert scores["J"]["mean"] == pytest.approx(80 / 120)
        assert scores["J&F"] == pytest.approx((scores["J"]["mean"] + scores["F"]["mean"]) / 2)
        assert set(scores["J"]) == set(scores["F"]) == {"mean", "recall", "decay"}
        assert scores["still"]["J&F"] < scores["J&F"] < scores["previous"]["J&F"] == 1.0
        assert scores["corrected"] is None
    assert found["frame_ms"]["count"] == 16
    assert found["corrections"] == {"count": 0, "fell": 0, "clicks": []}


def test_corrections_are_told_before_and_after(dataset, capsys):
    told = run_json(capsys, dataset, "--corrections", "4")["prompts"]["mask"]
    overall = told["overall"]
    gain = overall["corrected"]["J&F"] - overall["J&F"]
    assert overall["correction_gain"] == pytest.approx(gain)
    assert gain > 0
    assert (told["corrections"]["count"], told["corrections"]["fell"]) == (4, 0)
    assert told["corrections"]["clicks"][0]["sequence"] == "bear"
    assert set(told["corrections"]["clicks"][0]) > {"frame", "object_id", "before", "after"}


def test_a_table_has_a_row_for_each_sequence_and_one_for_all(dataset, capsys):
    assert main(["evaluate", "video", dataset, "--corrections", "4"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0] == "first frame given by mask"
    assert lines[1].split()[-4:] == ["J&F", "still", "previous", "corrected"]
    assert [line.split()[0] for line in lines[2:5]] == ["bear", "duck", "all"]
    assert lines[4].split()[1:4] == ["16", "4", "0.667"]
    assert "recall J 1.000" in lines[5]
    assert "4 corrections: J&F" in lines[7]
    assert "fell in 0" in lines[7]
    assert shown.err == ""  # no terminal: no bar


def test_both_ways_of_saying_are_measured_in_one_run(dataset, capsys):
    told = run_json(capsys, dataset, "--prompts", "mask,clicks")
    assert set(told["prompts"]) == {"mask", "clicks"}


def test_a_limit_takes_fewer_videos(dataset, capsys):
    told = run_json(capsys, dataset, "--limit", "1")
    assert set(told["prompts"]["mask"]["sequences"]) == {"bear"}


def test_what_comes_later_is_counted_and_left_out(tmp_path, capsys):
    dataset = str(made_clips(tmp_path, absent=[(0, 1)]))
    assert run_json(capsys, dataset)["left_out"] == 1
    assert main(["evaluate", "video", dataset]) == 0
    assert "1 objects that the first frame has not" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("--prompts", "wink"), ("--corrections", "0")])
def test_bad_arguments_end_with_exit_code_2(dataset, capsys, words):
    assert main(["evaluate", "video", dataset, *words]) == 2
    assert words[1] in capsys.readouterr().err


def test_too_few_frames_are_told(tmp_path, capsys):
    assert main(["evaluate", "video", str(made_clips(tmp_path, n_frames=2))]) == 1
    assert "one has too few frames" in capsys.readouterr().err


def test_a_folder_that_is_no_dataset_is_told(tmp_path, capsys):
    assert main(["evaluate", "video", str(tmp_path)]) == 1
    assert "is no dataset" in capsys.readouterr().err


def test_a_mean_is_over_all_objects_and_only_of_what_was_measured_everywhere():
    low, high = (VideoScore.of([FrameScore(value, value)]) for value in (0.0, 0.9))
    assert mean_of([(low,), (high, high)]).both == pytest.approx(0.6)
    assert mean_of([(low,), None]) is None
    assert mean_of([]) is None
