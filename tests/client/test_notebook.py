from __future__ import annotations

import base64
import io
import re
import sys

import numpy as np
import pytest
from found import found
from PIL import Image

from seem_client.notebook import LONGEST_SIDE, as_html
from seem_client.picture import Still
from seem_client.png import encode_png

SIZE = (40, 60)
MASK = np.zeros(SIZE, np.bool_)
MASK[10:30, 10:50] = True
GREEN = Still(encode_png(np.full((*SIZE, 3), (0, 200, 0), np.uint8)))


def shown(html):
    kind, text = re.search('data:image/(\\w+);base64,([^"]+)', html).groups()
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        assert image.format.lower() == kind
        return np.asarray(image.convert("RGB")).astype(int)


def test_the_mask_is_drawn_on_its_picture():
    picture = shown(as_html([found(MASK, picture=GREEN)]))
    assert picture.shape == (*SIZE, 3)
    assert np.abs(picture[2, 2] - (0, 200, 0)).max() < 12
    assert picture[20, 30][2] > 90


def test_a_mask_of_another_size_is_listed_and_not_drawn():
    html = as_html([found(MASK), found(np.ones((5, 5), np.bool_), 2)])
    assert shown(html).shape == (*SIZE, 3)
    assert "25 pixels" in html


def test_without_its_picture_the_mask_is_drawn_alone():
    picture = shown(as_html([found(MASK)]))
    assert picture[2, 2].min() > 220
    assert np.ptp(picture[20, 30]) > 50


@pytest.mark.parametrize("other", [b"no image", encode_png(np.zeros((9, 9, 3), np.uint8))])
def test_what_cannot_be_drawn_on_leaves_the_mask_alone(other):
    picture = shown(as_html([found(MASK, picture=Still(other))]))
    assert picture[2, 2].min() > 220


def test_without_pillow_it_is_a_png_of_the_mask_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    html = as_html([found(MASK, picture=GREEN)])
    monkeypatch.undo()
    assert "image/png" in html
    assert shown(html)[2, 2].min() > 220


def test_a_large_picture_is_shrunk_and_thin_things_stay():
    mask = np.zeros((400, 3 * LONGEST_SIDE - 1), np.bool_)
    mask[7] = True
    green = Still(encode_png(np.full((*mask.shape, 3), (0, 200, 0), np.uint8)))
    picture = shown(as_html([found(mask, picture=green)]))
    assert picture.shape == (134, LONGEST_SIDE, 3)
    assert np.abs(picture[-1, -1] - (0, 200, 0)).max() < 12
    assert picture[2, 300][2] > 150


def test_a_line_says_what_is_known():
    html = as_html([found(MASK, 2, "cat", label_probability=0.9, presence=0.8)])
    for said in ("cat (90%)", "score 0.75", "presence 80%", "(10, 10) to (50, 30), 800 pixels"):
        assert said in html


def test_an_object_that_is_not_seen_says_so():
    assert "nothing found" in as_html([found(np.zeros(SIZE, np.bool_))])
    assert "nothing found" in as_html([])


def test_a_name_is_text_and_never_html():
    html = as_html([found(MASK, label="<script>alert(1)</script>")])
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
