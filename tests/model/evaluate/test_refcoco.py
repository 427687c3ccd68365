from __future__ import annotations

import numpy as np
import pytest
from made_coco import StandIn, as_coco, numbers, write_images

from seem_model.evaluate.datasets import DatasetInvalid
from seem_model.evaluate.refcoco import evaluate
from seem_model.evaluate.referring import Reference, ReferredPicture


@pytest.fixture
def pictures(tmp_path):
    found = numbers()
    files = write_images(tmp_path, found)
    return [
        ReferredPicture(
            tmp_path / file["file_name"],
            tuple(
                Reference(f"the one of {number}", as_coco(picture == number))
                for number in np.unique(picture[picture > 0])
            ),
        )
        for file, picture in zip(files, found, strict=True)
    ]


def test_what_is_equal_is_perfect(pictures):
    results = evaluate(StandIn(), pictures)
    assert results == {"references": 6.0, "cIoU": 100.0, "mIoU": 100.0, "AP50": 100.0}


def test_sentences_of_a_picture_are_asked_together(pictures):
    model = StandIn()
    evaluate(model, pictures)
    assert model.heard[0] == ["the one of 1", "the one of 2", "the one of 4"]


def test_large_objects_weigh_more_in_the_sum_than_in_the_mean(pictures):
    areas = [int((picture == n).sum()) for picture in numbers() for n in np.unique(picture) if n]
    small = int((numbers()[0] == 4).sum()) + int((numbers()[1] == 4).sum())
    model = StandIn(spoil=lambda number, mask: mask & (number != 4))
    results = evaluate(model, pictures)
    assert results["mIoU"] == results["AP50"] == pytest.approx(100 * 4 / 6)
    assert results["cIoU"] == pytest.approx(100 * (sum(areas) - small) / sum(areas))


def test_half_an_overlap_is_enough_for_the_precision(pictures):
    def half(_, mask):
        rows = np.flatnonzero(mask.any(1))
        cut = mask.copy()
        cut[rows[0] + len(rows) // 2 :] = False
        return cut

    results = evaluate(StandIn(spoil=half), pictures[1:])
    assert results["mIoU"] == pytest.approx(50)
    assert results["AP50"] == 100


def test_masks_of_another_size_are_named_with_their_picture(pictures):
    wrong = ReferredPicture(
        pictures[0].path, (Reference("the one of 1", as_coco(np.ones((4, 4), np.bool_))),)
    )
    with pytest.raises(DatasetInvalid, match=r"1\.png"):
        evaluate(StandIn(), [wrong])


def test_of_nothing_there_is_no_result():
    with pytest.raises(DatasetInvalid):
        evaluate(StandIn(), [])
