from __future__ import annotations

from argparse import ArgumentParser

import numpy as np
import pytest
from PIL import Image

from seem_server.cli import main
from seem_server.commands import asking
from seem_wire.prompts import Box, Lasso, ObjectPrompt, Point, Scribble
from seem_wire.types import Question, SegmentKind


def parsed(*words):
    parser = ArgumentParser()
    asking.add_asking_options(parser)
    return asking.asked_for(parser.parse_args(words))


@pytest.fixture
def mask_file(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(path)
    return str(path)


def test_all_that_is_said_is_about_one_object():
    (prompt,) = parsed(
        *("--point", "1,2", "--point", "3,4", "--negative", "5,6", "--box", "0,0,9,9"),
        *("--scribble", "1,1 2,2", "--text", "cat"),
    ).prompts
    assert prompt.points == (Point(1, 2), Point(3, 4), Point(5, 6, positive=False))
    assert (prompt.box, prompt.text) == (Box(0, 0, 9, 9), "cat")
    assert prompt.scribbles == (Scribble(((1, 1), (2, 2))),)


def test_regions_are_about_the_object_too():
    (prompt,) = parsed(
        *("--lasso", "1,1 9,1 9,9", "--negative-box", "1,2,3,4", "--negative-box", "5,6,7,8")
    ).prompts
    assert prompt.lassos == (Lasso(((1, 1), (9, 1), (9, 9))),)
    assert prompt.negative_boxes == (Box(1, 2, 3, 4), Box(5, 6, 7, 8))


def test_hypotheses_are_asked_for_only_when_told_to():
    assert not parsed("--point", "1,2").hypotheses
    assert parsed("--point", "1,2", "--hypotheses").hypotheses
    assert parsed("--text", "cat", "--text", "dog", "--hypotheses").hypotheses


def test_several_texts_are_an_object_each():
    assert [p.text for p in parsed("--text", "cat", "--text", "dog").prompts] == ["cat", "dog"]


def test_a_mask_alone_says_what_is_meant(mask_file):
    (prompt,) = parsed("--mask", mask_file).prompts
    assert np.array_equal(prompt.mask.mask, np.eye(4, dtype=bool))


def test_an_example_is_an_image_and_a_mask_file(mask_file):
    asked = parsed("--example", f"a:b.png:{mask_file}", "--negative", "1,2")
    image, mask = asked.example
    assert (str(image), mask.shape) == ("a:b.png", (4, 4))
    assert len(asked.prompts) == 1


def test_everything_is_a_question_of_its_own():
    assert parsed("--everything").question == Question()
    words = ("--everything", "--vocabulary", "cat, a dog,", "--kind", "semantic")
    asked = parsed(*words, "--threshold", "0.5")
    assert asked.question == Question(SegmentKind.SEMANTIC, ("cat", "a dog"), 0.5)
    assert asked.prompts == ()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Nothing says"),
        (("--negative", "1,2"), "only where the object is not"),
        (("--negative-box", "1,2,3,4"), "only where the object is not"),
        (("--hypotheses",), "Nothing says"),
        (("--everything", "--hypotheses"), "asked alone"),
        (("--everything", "--lasso", "1,1 9,1 9,9"), "asked alone"),
        (("--text", "cat", "--text", "dog", "--negative-box", "1,2,3,4"), "an object each"),
        (("--text", "cat", "--text", "dog", "--point", "1,2"), "an object each"),
        (("--text", "cat", "--text", "dog", "--example", "a:b"), "an object each"),
        (("--everything", "--point", "1,2"), "asked alone"),
        (("--everything", "--text", "cat"), "asked alone"),
        (("--text", "cat", "--vocabulary", "cat"), "about --everything"),
        (("--text", "cat", "--kind", "instance"), "about --everything"),
        (("--text", "cat", "--threshold", "0"), "about --everything"),
    ],
)
def test_what_does_not_go_together_is_misuse(words, says):
    with pytest.raises(asking.Misused, match=says):
        parsed(*words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--point", "1"), "is not X,Y"),
        (("--point", "a,b"), "is not X,Y"),
        (("--point", "nan,1"), "lies at (nan, 1.0)"),
        (("--negative", "1,inf"), "lies at (1.0, inf)"),
        (("--box", "1,2,3"), "is not X0,Y0,X1,Y1"),
        (("--box", "1,2,1,5"), "has no area"),
        (("--box", "9,2,1,5"), "has no area"),
        (("--box", "nan,2,1,5"), "has the corners"),
        (("--negative-box", "1,2,1,5"), "has no area"),
        (("--lasso", "1,1 9,1"), "has 2 corners"),
        (("--lasso", "1,1 9,1 9"), "is not X,Y"),
        (("--scribble", "1 2"), "is not X,Y"),
        (("--scribble", " "), "no points"),
        (("--text", " "), "blank"),
        (("--example", "no-mask"), "is not IMAGE:MASKFILE"),
        (("--everything", "--vocabulary", ","), "no names"),
        (("--everything", "--vocabulary", "cat,cat"), "something twice"),
        (("--everything", "--kind", "colourful"), "invalid choice"),
        (("--everything", "--threshold", "2"), "not within 0 to 1"),
        (("--everything", "--threshold", "nan"), "not within 0 to 1"),
        (("--everything", "--point", "1,2"), "asked alone"),
    ],
)
def test_arguments_that_mean_nothing_end_with_exit_code_2_before_anything_runs(capsys, words, says):
    assert main(["segment", "missing.jpg", *words, "--server", "127.0.0.1:1"]) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert not shown.out


def test_a_mask_file_that_is_not_there_is_told_before_anything_runs(capsys):
    words = ["segment", "missing.jpg", "--mask", "missing.png", "--server", "127.0.0.1:1"]
    assert main(words) == 1
    assert "missing.png" in capsys.readouterr().err


def test_all_that_is_said_of_an_object_is_told_at_once():
    told = {}

    class Listening:
        def prompt(self, **words):
            told.update(words)

    prompt = ObjectPrompt(points=(Point(1, 2),), text="cat")
    asking.say(Listening(), 7, prompt, ("photo.jpg", np.ones((2, 2), np.bool_)), frame=3)
    assert (told["frame"], told["object_id"], told["text"]) == (3, 7, "cat")
    assert told["points"] == prompt.points
    assert told["example"][0] == "photo.jpg"
