from __future__ import annotations

import json

import numpy as np
import pytest
from made_dataset import annotation, block, made_dataset
from PIL import Image

from seem_server.cli import main
from seem_server.commands.failures import Outcome, draw, worst
from seem_server.commands.stills import Still, Target, read_stills
from seem_wire import rle

SQUARE = rle.encode(block(10, 10, 30, 50))
FAKE = ("--bundle", "fake")


@pytest.fixture
def dataset(tmp_path):
    listed = [annotation(n, block(10, 10, 30, 20 + 6 * n), image=n) for n in (1, 2, 3)]
    return made_dataset(tmp_path, listed, sources=("a", "a", "b"))


def outcome(number, source, iou):
    return Outcome(Still(None, source, ()), Target(number, SQUARE), (0.9, iou), (), None)


def numbers(outcomes):
    return [one.target.annotation_id for one in outcomes]


def test_the_worst_come_first_and_no_source_takes_all_the_room():
    outcomes = [outcome(1, "a", 0.1), outcome(2, "a", 0.2), outcome(3, "b", 0.3)]
    assert numbers(worst(outcomes, 2, per_source=9)) == [1, 2]
    assert numbers(worst(outcomes, 2, per_source=1)) == [1, 3]
    assert numbers(worst(reversed(outcomes), 9, per_source=9)) == [1, 2, 3]


def test_what_it_is_and_how_it_went_fits_in_a_line():
    assert outcome(1, "a", 0.123).title == "a, object: IoU 0.12 after 2"


def test_pictures_a_sheet_and_an_index_are_written(dataset, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["failures", str(dataset), "--out", str(out), "--worst", "2", "--json", *FAKE]
    assert main(["evaluate", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    pictures = [row["picture"] for row in told["failures"]]
    assert len(pictures) == 2
    assert {path.name for path in out.iterdir()} == {*pictures, "contact-sheet.png", "index.md"}
    index = (out / "index.md").read_text("utf-8")
    assert all(f"({picture})" in index for picture in pictures)
    assert told["failures"][0]["ious"][-1] <= told["failures"][1]["ious"][-1]


def test_at_most_so_many_clicks_are_made(dataset, tmp_path, capsys):
    words = ["failures", str(dataset), "--out", str(tmp_path / "o"), "--clicks", "1", "--json"]
    assert main(["evaluate", *words, *FAKE]) == 0
    told = json.loads(capsys.readouterr().out)
    assert all(len(row["ious"]) == 1 for row in told["failures"])


def test_a_picture_shows_both_outlines_and_the_clicks_of_a_crop(dataset):
    from fake_server import fake_client

    from seem_server.commands.failures import play_all

    with fake_client() as client:
        (one, *_) = play_all(client, read_stills(dataset), 2)
    seen = {tuple(colour) for colour in np.asarray(draw(one)).reshape(-1, 3).tolist()}
    assert {(0, 114, 255), (255, 136, 0), (20, 170, 60)} <= seen


def test_without_out_there_is_nowhere_to_draw(dataset, capsys):
    assert main(["evaluate", "failures", str(dataset), *FAKE]) == 2
    assert "--out" in capsys.readouterr().err


def test_a_sheet_holds_all_pictures(dataset, tmp_path):
    out = tmp_path / "out"
    main(["evaluate", "failures", str(dataset), "--out", str(out), *FAKE])
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.size == (3 * 360, 360)
