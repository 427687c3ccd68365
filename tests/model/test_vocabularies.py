import numpy as np
import pytest
import torch

from seem_model import vocabularies
from seem_model.clip_text import LanguageEncoder, LanguageSize
from seem_model.vocabularies import (
    COCO_PANOPTIC,
    N_THINGS,
    TEMPLATES,
    embed_names,
    embed_texts,
    spoken,
)

SIZE = LanguageSize(n_ids=40, context=80, width=16, depth=2, heads=4, joint_width=8)


class Letters:
    """A token for each letter, an end for each text."""

    def encode(self, texts):
        return [[0, *(1 + ord(letter) % 37 for letter in text), 39] for text in texts]


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return LanguageEncoder(SIZE).eval()


def test_coco_has_80_things_and_53_stuffs():
    assert len(set(COCO_PANOPTIC)) == 133
    assert COCO_PANOPTIC[0] == "person"
    assert COCO_PANOPTIC[N_THINGS - 1 : N_THINGS + 1] == ("toothbrush", "banner")
    assert COCO_PANOPTIC[-1] == "rug-merged"


def test_there_are_81_templates():
    assert len(set(TEMPLATES)) == 81
    assert TEMPLATES[-1] == "{}."
    assert {template.count("{}") for template in TEMPLATES} == {1}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sky-other-merged", "sky"),
        ("door-stuff", "door"),
        ("wall-brick", "wall-brick"),
        ("playingfield", "playingfield"),
    ],
)
def test_names_are_said_without_what_marks_stuff(name, said):
    assert spoken(name) == said


def test_a_row_is_the_unit_mean_of_unit_sentences(encoder):
    names, templates = ["cat", "dirt-merged"], ["a {}.", "{}", "the {}!"]
    rows = embed_names(encoder, Letters(), names, templates)
    for row, said in zip(rows, ["cat", "dirt"], strict=True):
        ids = [torch.tensor(Letters().encode([t.format(said)])) for t in templates]
        with torch.inference_mode():
            sentences = torch.cat([encoder.sentence(one) for one in ids])
        mean = torch.nn.functional.normalize(sentences, dim=1).mean(0)
        np.testing.assert_allclose(row, mean / mean.norm(), atol=1e-6)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_batches_change_nothing_and_progress_is_told(encoder, monkeypatch):
    names, told = ["cat", "dog", "bear", "a long name"], []
    whole = embed_names(encoder, Letters(), names, ["{}", "a {}."])
    monkeypatch.setattr(vocabularies, "BATCH_TOKENS", 10)
    parts = embed_names(
        encoder, Letters(), names, ["{}", "a {}."], progress=lambda *both: told.append(both)
    )
    np.testing.assert_allclose(whole, parts, atol=1e-6)
    assert told[-1] == (8, 8)
    assert len(told) > 4
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_a_name_longer_than_a_batch_has_a_batch_of_its_own(encoder, monkeypatch):
    monkeypatch.setattr(vocabularies, "BATCH_TOKENS", 3)
    assert embed_texts(encoder, Letters(), ["giraffe", "dog"]).shape == (2, 8)


def test_an_encoder_in_double_precision_gives_float32_rows(encoder):
    double = LanguageEncoder(SIZE).double()
    double.load_state_dict(encoder.state_dict())
    rows = embed_names(double, Letters(), ["cat"], ["{}"])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, embed_names(encoder, Letters(), ["cat"], ["{}"]), atol=1e-5)
