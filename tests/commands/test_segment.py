from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bundles import plain_tiny
from fake_server import fake_client
from PIL import Image

from seem_server.cli import main
from seem_server.commands import segment
from seem_server.commands.asking import Asked
from seem_wire import rle
from seem_wire.prompts import ObjectPrompt, Point

FAKE = ("--bundle", "fake")
HERE = ObjectPrompt(points=(Point(40, 30),))


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((64, 96, 3), 120, np.uint8)).save(path)
    return str(path)


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def run_json(capsys, *words):
    assert main(["segment", *words, "--json", *FAKE]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_is_the_document_of_the_contract(photo, capsys):
    told = run_json(capsys, photo, "--point", "40,30")
    assert set(told) == {"image", "objects", "timings_ms", "model"}
    assert told["image"] == {"width": 96, "height": 64}
    (one,) = told["objects"]
    assert set(one) == {"object_id", "label", "presence", "score", "box", "area", "mask"}
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


def test_out_writes_an_overlay_and_a_mask_for_each_object(photo, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["segment", photo, "--point", "40,30", "--out", str(out), *FAKE]) == 0
    assert {path.name for path in out.iterdir()} == {"photo.overlay.png", "photo.mask-1.png"}
    assert "score" in (told := capsys.readouterr().out)
    assert str(out / "photo.overlay.png") in told
    assert read(out / "photo.mask-1.png").shape == (64, 96)


def test_hypotheses_are_listed_best_first_and_written_beside(photo, tmp_path, capsys):
    told = run_json(capsys, photo, "--point", "40,30", "--hypotheses", "--out", str(tmp_path))
    (one,) = told["objects"]
    first, *others = one["hypotheses"]
    assert first == {key: one[key] for key in ("score", "box", "area", "mask")}
    assert others
    scores = [each["score"] for each in others]
    assert scores == sorted(scores, reverse=True)
    for place, each in enumerate(others, 1):
        mask = read(tmp_path / f"photo.mask-1.hypothesis-{place}.png")
        assert (mask > 0).sum() == each["area"]
    assert not (tmp_path / "photo.mask-1.hypothesis-0.png").exists()


def test_hypotheses_of_an_earlier_run_do_not_stay_beside_a_new_mask(photo, tmp_path, capsys):
    beside, others = tmp_path / "photo.mask-1.hypothesis-1.png", tmp_path / "photo.mask-12.png"
    run_json(capsys, photo, "--point", "40,30", "--hypotheses", "--out", str(tmp_path))
    others.touch()
    assert beside.exists()
    run_json(capsys, photo, "--point", "40,30", "--out", str(tmp_path))
    assert not beside.exists()
    assert others.exists()


def test_hypotheses_are_told_to_a_person_too(photo, capsys):
    assert main(["segment", photo, "--point", "40,30", "--hypotheses", *FAKE]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("object 1")
    assert lines[1].startswith("  or 1: score")


def test_regions_are_prompts(photo, capsys):
    words = ["--lasso", "10,10 80,10 80,50 10,50", "--negative-box", "40,0,96,64"]
    (one,) = run_json(capsys, photo, *words)["objects"]
    assert one["box"][2] <= 40


def test_a_turned_photo_is_drawn_upright(tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(np.zeros((600, 900, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    words = [str(tmp_path / "turned.jpg"), "--point", "40,30", "--out", str(tmp_path)]
    assert run_json(capsys, *words)["image"] == {"width": 600, "height": 900}
    assert read(tmp_path / "turned.overlay.png").shape[:2] == (900, 600)


def test_an_example_is_a_prompt(photo, tmp_path, capsys):
    Image.fromarray(np.eye(30, dtype=np.uint8) * 255).save(tmp_path / "mask.png")
    Image.fromarray(np.full((30, 30, 3), 90, np.uint8)).save(tmp_path / "other.png")
    shown = f"{tmp_path / 'other.png'}:{tmp_path / 'mask.png'}"
    told = run_json(capsys, photo, "--example", shown)
    assert told["objects"][0]["area"] > 0
    both = run_json(capsys, photo, "--example", shown, "--point", "10,10")
    assert both["objects"][0]["area"] > told["objects"][0]["area"]


def test_everything_is_an_object_each_with_its_label(photo, tmp_path, capsys):
    told = run_json(capsys, photo, "--everything", "--out", str(tmp_path / "out"))
    assert set(told) == {"image", "objects", "timings_ms", "model"}
    ids = [one["object_id"] for one in told["objects"]]
    assert ids == list(range(1, len(ids) + 1))
    assert all(one["label"] and one["area"] for one in told["objects"])
    assert told["timings_ms"]["wall"] >= told["timings_ms"]["total"] > 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"photo.overlay.png", *(f"photo.mask-{one}.png" for one in ids)}


def test_everything_may_be_asked_by_other_names_and_of_another_kind(photo, capsys):
    words = ("--everything", "--vocabulary", "cat,dog", "--kind", "instance")
    told = run_json(capsys, photo, *words)
    assert {one["label"] for one in told["objects"]} <= {"cat", "dog"}


def test_nothing_found_is_no_failure(photo, capsys):
    words = ["segment", photo, "--everything", "--threshold", "1", *FAKE]
    assert main(words) == 0
    assert capsys.readouterr().out.strip() == "nothing found"


@pytest.mark.parametrize(
    "words", [["--everything"], ["--everything", "--vocabulary", "cat"], ["--example", "{p}:{p}"]]
)
def test_what_a_bundle_does_not_offer_is_told_and_ends_with_exit_code_1(
    photo, tmp_path, capsys, words
):
    said = [word.format(p=photo) for word in words]
    plain = str(plain_tiny(tmp_path / "plain"))
    assert main(["segment", photo, *said, "--bundle", plain, "--json"]) == 1
    shown = capsys.readouterr()
    assert "does not offer" in shown.err or "takes no example" in shown.err
    assert not shown.out


def test_an_example_whose_mask_is_of_another_size_is_told(photo, tmp_path, capsys):
    Image.fromarray(np.eye(30, dtype=np.uint8) * 255).save(tmp_path / "mask.png")
    words = ["--example", f"{photo}:{tmp_path / 'mask.png'}"]
    assert main(["segment", photo, *words, *FAKE]) == 1
    assert "30 x 30" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(photo, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    words = ["--point", "1,1", "--out", str(tmp_path / "file"), "--server", "127.0.0.1:1"]
    assert main(["segment", photo, *words]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--point", "1000,1"], "outside the image"),
        (["--box", "100,1,120,9"], "outside the image"),
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
        answer = segment.segment(client, Path(photo), Asked((HERE,)))
    line = segment.as_line(answer.predictions[0])
    assert line.startswith("object 1 (thing, ")
    absent = replace(answer.predictions[0], box=None, area=0, presence=0.1)
    assert segment.as_line(absent).endswith("nothing found (presence 10%)")
    assert "within (" in line


def hinted(text, names, area=0):
    one = SimpleNamespace(area=area)
    answer = segment.Answer((64, 96), (one,), (), 1.0, "fake@1", names)
    return segment.hints(Asked((ObjectPrompt(text=text),)), answer)


def test_of_a_word_that_is_not_seen_it_says_what_to_try():
    (hint,) = hinted("elefant", ("elephant", "cat"))
    assert "none of the 2 " in hint
    assert "elephant would be." in hint
    assert "--everything" in hint
    assert "none of" not in hinted("cat", ("elephant", "cat"))[0]
    assert "none of" not in hinted("cat", ())[0]
    assert hinted("cat", ("cat",), area=5) == []


def test_any_word_may_be_asked_and_none_that_is_little_like_it_is_told_in_its_place():
    (hint,) = hinted("zebra", ("bra", "cat"))
    assert "Any word may be asked" in hint
    assert "would be" not in hint


def test_hints_are_for_a_person_alone(photo, capsys):
    words = ["segment", photo, "--everything", "--threshold", "1", *FAKE]
    assert main(words) == 0
    assert "--threshold" in capsys.readouterr().err
    assert main([*words, "--json"]) == 0
    assert "--threshold" not in capsys.readouterr().err
