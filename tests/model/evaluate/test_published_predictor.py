from __future__ import annotations

import numpy as np
import pytest
import torch
from small_checkpoints import text_reading_model

from seem_model.clip_tokenizer import ClipTokenizer
from seem_model.evaluate import published_predictor
from seem_model.evaluate.published_predictor import PublishedPredictor
from seem_model.published import BY_TEXT, prompts_of_nothing
from seem_model.variants import Wiring

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
PADDED, RESIZED = (64, 96), (64, 96)


@pytest.fixture(scope="module", params=list(Wiring))
def model(request):
    return text_reading_model(request.param)


@pytest.fixture(scope="module")
def predictor(model):
    vocabulary = np.random.default_rng(1).normal(size=(5, 32)).astype(np.float32)
    vocabulary /= np.linalg.norm(vocabulary, axis=1, keepdims=True)
    return PublishedPredictor(model, ClipTokenizer(), vocabulary, query_rows=(3, 1, 4))


def dots(*places):
    marks = np.zeros((len(places), *PADDED), np.bool_)
    for mark, (row, column) in zip(marks, places, strict=True):
        mark[row : row + 3, column : column + 3] = True
    return marks


def none(n):
    return np.zeros((n, *PADDED), np.bool_)


def test_everything_gives_each_query_names_and_a_mask(predictor):
    found = predictor.everything(IMAGE)
    assert found.probabilities.shape == (101, 5)
    np.testing.assert_allclose(found.probabilities.sum(1), 1, rtol=1e-5)
    assert found.masks.shape == (101, 40, 60)
    assert found.masks[7].shape == (40, 60)


def test_without_a_vocabulary_nothing_can_be_named(model):
    with pytest.raises(ValueError, match="vocabulary"):
        PublishedPredictor(model, ClipTokenizer()).everything(IMAGE)


def test_each_sentence_gets_the_mask_of_the_query_that_matches_it(predictor):
    masks = predictor.refer(IMAGE, ["the left one", "a dog"])
    assert [(mask.shape, mask.dtype) for mask in masks] == [((40, 60), bool)] * 2


def test_sentences_of_a_picture_are_read_together(predictor, monkeypatch):
    given = []
    decode = predictor._model.decode
    monkeypatch.setattr(predictor._model, "decode", lambda f, p: given.append(p) or decode(f, p))
    predictor.refer(IMAGE, ["the left one", "a dog"])
    (prompts,) = given
    assert prompts.text.shape[:3] == (1, 2, 5 + 4)  # each with its start and end
    assert torch.equal(prompts.text[0, 0], prompts.text[0, 1])
    assert not torch.equal(prompts.sentence[0, 0], prompts.sentence[0, 1])
    assert (prompts.selector == BY_TEXT).all()
    assert prompts.query_rows.shape[2] == 101


def test_clicks_are_answered_at_both_sizes(predictor):
    clicking = predictor.clicking(IMAGE)
    assert (clicking.frame.height, clicking.frame.width) == PADDED
    answer = clicking.answer(dots((5, 5), (40, 70)), none(2))
    assert (answer.network.shape, answer.original.shape) == ((2, *PADDED), (2, 40, 60))


def test_a_second_round_sees_the_first_where_the_model_has_a_memory(model, predictor):
    clicking = predictor.clicking(IMAGE)
    positive = dots((5, 5), (40, 70))
    clicking.answer(positive, none(2))
    first = clicking._before
    clicking.answer(positive, none(2))
    assert np.array_equal(first, clicking._before) != model.variant.has_memory


def test_objects_do_not_see_each_other_so_fewer_at_once_give_the_same(predictor, monkeypatch):
    positive, negative = dots((5, 5), (40, 70), (20, 30)), none(3)
    negative[1, 50:53, 10:13] = True

    def rounds():
        clicking = predictor.clicking(IMAGE)
        clicking.answer(positive, negative)
        clicking.answer(positive, negative)
        return clicking._before

    together = rounds()
    monkeypatch.setattr(published_predictor, "OBJECTS_AT_ONCE", 1)
    np.testing.assert_allclose(rounds(), together, atol=1e-4)


def test_the_given_rows_answer_clicks(predictor, monkeypatch):
    given = []
    decode = predictor._model.decode
    monkeypatch.setattr(predictor._model, "decode", lambda f, p: given.append(p) or decode(f, p))
    predictor.clicking(IMAGE).answer(dots((5, 6)), dots((30, 40)))
    (prompts,) = given
    assert prompts.query_rows.tolist() == [[[3, 1, 4]]]
    assert prompts.points.shape == (1, 1, 4, 18, 2)
    assert prompts.points[0, 0, 0, 0].tolist() == [6, 5]  # (x, y)
    assert prompts.labels[0, 0, 3].tolist() == [1] * 9 + [0] * 9


def test_an_object_without_negative_clicks_beside_one_with_some_is_padded():
    points, labels = published_predictor._listed(dots((5, 5), (9, 9)), none(2))
    assert points.shape == (2, 4, 9, 2)
    assert labels.min() == 1
    negative = none(2)
    negative[0, 3] = True
    points, labels = published_predictor._listed(dots((5, 5), (9, 9)), negative)
    assert labels[0, 0].tolist() == [1] * 9 + [0] * 96
    assert labels[1, 0].tolist() == [1] * 9 + [-1] * 96
    assert not points[1, 0, 9:].any()


def test_the_masks_are_those_of_the_model(model, predictor):
    """Of the first query, by hand: padded, cropped, enlarged."""
    from seem_model.evaluate.framing import for_everything, frame
    from seem_wire.resample import to_original

    framed = frame(IMAGE, for_everything(model.variant))
    with torch.inference_mode():
        features = model.encode(torch.from_numpy(framed.values)[None])
        nothing = prompts_of_nothing(features, sizes=model.variant.sizes)
        answers = model.decode(features, nothing)
        logits = torch.einsum(
            "c,chw->hw", answers.embeddings[0, 0, 0], features.mask_features[0]
        ).numpy()[None]
    expected = to_original(logits, padded=PADDED, resized=RESIZED, size=(40, 60))
    np.testing.assert_allclose(predictor.everything(IMAGE).masks[0], expected[0], atol=1e-4)
