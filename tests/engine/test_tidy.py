import numpy as np
import pytest
from scipy import ndimage

from seem_server.engine.tidy import tidy
from seem_wire.pixels import Frame
from seem_wire.prompts import ObjectPrompt, Point, Scribble

FRAME = Frame(2.0, 2.0, 80, 80)  # 20 x 20 cells, two original pixels each


def body(*islands, holes=()):
    logits = np.full((20, 20), -3.0, np.float32)
    logits[5:15, 5:15] = 3
    for row, column in islands:
        logits[row, column] = 3
    for row, column in holes:
        logits[row, column] = -3
    return logits


def at(row, column, *, positive=True):
    return Point(2 * column + 1, 2 * row + 1, positive)


CLICK = ObjectPrompt((at(9, 9),))


def test_specks_and_pinholes_are_swept():
    swept = tidy(body((1, 1), (18, 3), holes=[(8, 8)]), CLICK, FRAME, 0.0)
    assert ((swept > 0) == (body() > 0)).all()


def test_a_clicked_speck_stays():
    prompt = ObjectPrompt((at(9, 9), at(1, 1)))
    swept = tidy(body((1, 1), (18, 3)), prompt, FRAME, 0.0)
    assert swept[1, 1] > 0 > swept[18, 3]


def test_a_speck_under_a_scribble_stays():
    prompt = ObjectPrompt(scribbles=(Scribble(((3.0, 3.0), (19.0, 19.0))),))
    assert tidy(body((1, 1)), prompt, FRAME, 0.0)[1, 1] > 0


def test_a_hole_that_was_clicked_away_stays():
    prompt = ObjectPrompt((at(9, 9), at(8, 8, positive=False)))
    assert tidy(body(holes=[(8, 8)]), prompt, FRAME, 0.0)[8, 8] < 0


def test_words_may_mean_several_small_things():
    logits = body((1, 1), (1, 2))
    assert tidy(logits, ObjectPrompt(text="window"), FRAME, 0.0)[1, 1] > 0
    assert tidy(logits, CLICK, FRAME, 0.0)[1, 1] < 0


def test_an_opening_to_the_outside_is_no_hole():
    logits = body(holes=[(5, 9), (6, 9)])
    assert tidy(logits, CLICK, FRAME, 0.0) is logits


@pytest.mark.parametrize("logits", [np.full((20, 20), -1.0, np.float32), body()])
def test_nothing_to_sweep_gives_the_same_array(logits):
    assert tidy(logits, CLICK, FRAME, 0.0) is logits


def test_the_largest_body_is_never_swept():
    swept = tidy(body(), ObjectPrompt((at(0, 0, positive=False),)), FRAME, 0.0)
    assert ndimage.label(swept > 0)[1] == 1
