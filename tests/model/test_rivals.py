from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from seem_model import rivals
from seem_wire import rle
from seem_wire.prompts import Point
from seem_wire.rle import Rle

SIZE = (30, 40)


class Square:
    """Marks the pixel of each click, and remembers its pictures."""

    def __init__(self):
        self.opened = []

    def open(self, image):
        self.opened.append(image.shape)

    def click(self, points):
        mask = np.zeros(SIZE, np.bool_)
        for point in points:
            mask[int(point.y), int(point.x)] = point.positive
        return mask


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("RGB", SIZE[::-1]).save(path)
    return str(path)


def answers(rival, *documents):
    said = []
    rivals.serve(rival, [json.dumps(one) for one in documents], said.append)
    return [json.loads(line) for line in said]


def test_a_new_picture_is_opened_and_clicked(picture):
    rival = Square()
    first, later = answers(
        rival,
        {"image": picture, "clicks": [[5, 7, True]]},
        {"clicks": [[5, 7, True], [9, 2, True]]},
    )
    assert rival.opened == [(*SIZE, 3)]
    assert rle.decode(Rle(*SIZE, first["counts"])).sum() == 1
    assert rle.decode(Rle(*SIZE, later["counts"])).sum() == 2
    assert first["ms"] > 0


class NearestCell:
    """What a SAM gives: low-resolution logits, positive in the quarter that was clicked."""

    def eval(self):
        return self

    def get_image_embeddings(self, pixels):
        self.seen = pixels.shape
        return "embeddings"

    def __call__(self, *, image_embeddings, input_points, input_labels, multimask_output):
        assert (image_embeddings, multimask_output) == ("embeddings", False)
        assert input_labels.shape == input_points.shape[:-1]
        logits = torch.full((1, 1, 1, 256, 256), -1.0)
        x, y = (input_points[0, 0, -1] / 4).int().tolist()
        logits[..., y - 10 : y + 10, x - 10 : x + 10] = 1.0
        return type("Answer", (), {"pred_masks": logits})


def test_a_sam_is_asked_in_its_own_frame_and_answers_in_the_pictures():
    sam = rivals.SamLike(NearestCell())
    sam.open(np.zeros((300, 400, 3), np.uint8))
    mask = sam.click([Point(100.0, 200.0)])
    assert sam._model.seen == (1, 3, 1024, 1024)
    rows, columns = np.nonzero(mask)
    assert mask.shape == (300, 400)
    assert (round(columns.mean()), round(rows.mean())) == (100, 200)


def test_what_cannot_be_opened_says_why(monkeypatch, capsys):
    def fail(_name):
        raise ImportError("it needs\n  another library")

    monkeypatch.setattr(rivals, "open_sam", fail)
    rivals.main(["edgetam"])
    assert json.loads(capsys.readouterr().out) == {"trouble": "it needs another library"}


def test_one_that_opens_says_that_it_is_ready_and_serves(monkeypatch, capsys, picture):
    line = json.dumps({"image": picture, "clicks": [[1, 1, True]]})
    monkeypatch.setattr(rivals, "open_sam", lambda _name: Square())
    monkeypatch.setattr("sys.stdin", io.StringIO(line))
    rivals.main(["sam"])
    ready, answer = map(json.loads, capsys.readouterr().out.splitlines())
    assert ready == {"ready": "sam"}
    assert rle.decode(Rle(*SIZE, answer["counts"])).sum() == 1
