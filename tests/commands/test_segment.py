from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest
from fake_server import fake_client
from PIL import Image

from seem_server.cli import main
from seem_server.commands import segment
from seem_wire import rle
from seem_wire.prompts import Box, Point, Scribble

FAKE = ("--bundle", "fake")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((64, 96, 3), 120, np.uint8)).save(path)
    return str(path)


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def parsed(*words):
    parser = ArgumentParser()
    segment.add_parser(parser.add_subparsers())
    return segment.asked_for(parser.parse_args(["segment", "photo.png", *words]))


def run_json(capsys, *words):
    assert main(["segment", *words, "--json", *FAKE]) == 0
    return json.loads(capsys.readouterr().out)


def test_all_that_is_said_is_about_one_object():
    (prompt,) = parsed(
        *("--point", "1,2", "--point", "3,4", "--negative", "5,6", "--box", "0,0,9,9"),
        *("--scribble", "1,1 2,2", "--text", "cat"),
    ).prompts
    assert prompt.points == (Point(1, 2), Point(3, 4), Point(5, 6, positive=False))
    assert (prompt.box, prompt.text) == (Box(0, 0, 9, 9), "cat")
    assert prompt.scribbles == (Scribble(((1, 1), (2, 2))),)


def test_several_texts_are_an_object_each():
    assert [p.text for p in parsed("--text", "cat", "--text", "dog").prompts] == ["cat", "dog"]


def test_several_texts_take_no_shapes():
    with pytest.raises(segment.Misused, match="an object each"):
        parsed("--text", "cat", "--text", "dog", "--point", "1,2")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--point", "1"),
        ("--point", "a,b"),
        ("--box", "1,2,3"),
        ("--scribble", "1 2"),
        ("--example", "no-mask"),
        ("--text", "cat", "--text", "dog", "--box", "1,2,3,4"),
    ],
)
def test_arguments_that_mean_nothing_end_with_exit_code_2(photo, capsys, words):
    assert main(["segment", photo, *words, *FAKE]) == 2
    shown = capsys.readouterr()
    assert shown.err
    assert not shown.out


def test_json_is_the_document_of_the_contract(photo, capsys):
    told = run_json(capsys, photo, "--point", "40,30")
    assert set(told) == {"image", "objects", "timings_ms", "model"}
    assert told["image"] == {"width": 96, "height": 64}
    (one,) = told["objects"]
    assert set(one) == {"object_id", "label", "score", "box", "area", "mask"}
    mask = rle.decode(rle.Rle(*one["mask"]["size"], one["mask"]["counts"]))
    assert (mask.shape, int(mask.sum())) == ((64, 96), one["area"])
    assert len(one["box"]) == 4
    assert told["timings_ms"]["wall"] >= told["timings_ms"]["total"] > 0


def test_objects_are_numbered_as_their_texts(photo, capsys):
    told = run_json(capsys, photo, "--text", "cat", "--text", "dog")
    assert [one["object_id"] for one in told["objects"]] == [1, 2]


def test_a_mask_file_is_a_prompt(photo, tmp_path, capsys):
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 20:40] = 255
    Image.fromarray(mask).save(tmp_path / "rough.png")
    told = run_json(capsys, photo, "--mask", str(tmp_path / "rough.png"))
    assert told["objects"][0]["area"] > 0


@pytest.mark.parametrize(
    ("mode", "value"), [("1", 1), ("L", 1), ("P", 3), ("I;16", 1), ("RGB", (200, 200, 200))]
)
def test_mask_files_of_any_kind_mark_the_same(tmp_path, mode, value):
    image = Image.new(mode, (6, 4))
    image.putpixel((2, 1), value)
    image.save(tmp_path / "mask.png")
    assert np.argwhere(segment.read_mask(tmp_path / "mask.png")).tolist() == [[1, 2]]


def test_out_writes_an_overlay_and_a_mask_for_each_object(photo, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["segment", photo, "--point", "40,30", "--out", str(out), *FAKE]) == 0
    assert {path.name for path in out.iterdir()} == {"photo.overlay.png", "photo.mask-1.png"}
    assert "score" in (told := capsys.readouterr().out)
    assert str(out / "photo.overlay.png") in told
    assert read(out / "photo.mask-1.png").shape == (64, 96)


def test_a_turned_photo_is_drawn_upright(tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(np.zeros((600, 900, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    words = [str(tmp_path / "turned.jpg"), "--point", "40,30", "--out", str(tmp_path)]
    assert run_json(capsys, *words)["image"] == {"width": 600, "height": 900}
    assert read(tmp_path / "turned.overlay.png").shape[:2] == (900, 600)


@pytest.mark.parametrize("later", [["--everything"], ["--example", "{photo}:{photo}"]])
def test_what_comes_later_is_told_clearly_to_be_missing(photo, capsys, later):
    words = [word.format(photo=photo) for word in later]
    assert main(["segment", photo, *words, *FAKE]) == 1
    assert "does not offer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--point", "1000,1"], "outside the image"),
        (["--negative", "1,1"], "negative"),
        (["--point", "1,1", "--server", "127.0.0.1:1"], "cannot be reached"),
    ],
)
def test_what_cannot_be_done_ends_with_exit_code_1_and_a_sentence(photo, capsys, words, says):
    chosen = [] if "--server" in words else FAKE
    assert main(["segment", photo, *words, *chosen]) == 1
    assert says in capsys.readouterr().err


def test_a_file_that_is_no_image_is_told(tmp_path, capsys):
    (tmp_path / "text.jpg").write_text("no image")
    assert main(["segment", str(tmp_path / "text.jpg"), "--point", "1,1", *FAKE]) == 1
    assert "image" in capsys.readouterr().err


def test_an_object_is_told_in_one_line(photo):
    with fake_client() as client:
        answer = segment.segment(client, Path(photo), parsed("--point", "40,30"))
    line = segment.as_line(answer.predictions[0])
    assert line.startswith("object 1 (thing, ")
    assert "within (" in line
