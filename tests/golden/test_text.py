"""Texts of the published models against what the reference recorded with weights made by rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="seem_model needs the `model` extra")

from seem_model.clip_text import LanguageEncoder  # noqa: E402
from seem_model.clip_tokenizer import END, ClipTokenizer  # noqa: E402
from seem_model.rule_weights import fill  # noqa: E402
from seem_model.vocabularies import (  # noqa: E402
    BACKGROUND,
    COCO_PANOPTIC,
    embed_names,
    embed_texts,
)

FILE = Path(__file__).parents[2].parent / "shared" / "golden" / "focalt_shared" / "text.npz"
PREFIX = "sem_seg_head.predictor.lang_encoder."
TOLERANCE = 2e-5

pytestmark = pytest.mark.skipif(
    not FILE.is_file(), reason=f"the recorded text outputs are not at {FILE}"
)


@pytest.fixture(scope="module")
def golden():
    with np.load(FILE) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def tokenizer():
    return ClipTokenizer()


@pytest.fixture(scope="module")
def encoder():
    torch.set_num_threads(1)
    encoder = LanguageEncoder().eval().requires_grad_(requires_grad=False)
    fill(encoder, PREFIX)
    return encoder


@pytest.fixture(scope="module")
def ids(golden):
    return torch.from_numpy(golden["input_ids"]).long()


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_ids_and_their_number(golden, tokenizer):
    end = tokenizer.tokenizer.get_vocab()[END]
    made = tokenizer.encode([*map(str, golden["texts"])])
    padded = [[*one, *[end] * (77 - len(one))] for one in made]
    np.testing.assert_array_equal(padded, golden["input_ids"])
    assert [len(one) for one in made] == golden["attention_mask"].sum(1).tolist()


def test_a_long_text_is_cut_as_recorded(golden, tokenizer):
    made = tokenizer.encode([str(golden["long_text"][0])])
    np.testing.assert_array_equal(made, golden["long_ids"])


def test_token_states(golden, encoder, ids):
    close(encoder.states(ids)[:, :12], golden["token_emb_first12"])


def test_hidden_states_before_projection(golden, encoder, ids):
    a, b, c = golden["last_hidden_state__strides"]
    close(encoder.lang_encoder(ids)[::a, ::b, ::c], golden["last_hidden_state__sample"])


def test_sentences_of_padded_texts(golden, encoder, ids):
    close(encoder.sentence(ids), golden["class_emb"])


def test_sentences_of_texts_cut_at_their_last_token(golden, encoder, tokenizer):
    close(embed_texts(encoder, tokenizer, [*map(str, golden["texts"])]), golden["class_emb"])


def test_the_state_of_the_last_token_is_the_sentence(golden, encoder, tokenizer):
    for text, sentence in zip(golden["texts"], golden["class_emb"], strict=True):
        (row,) = tokenizer.encode([str(text)])
        close(encoder.states(torch.tensor([row]))[0, -1], sentence)


def test_the_names_and_their_order(golden):
    assert [*COCO_PANOPTIC, BACKGROUND] == golden["class_names"].tolist()


def test_bare_names(golden, encoder, tokenizer):
    sentences = embed_texts(encoder, tokenizer, golden["class_names"].tolist())
    unit = torch.nn.functional.normalize(sentences, dim=1)
    close(unit, golden["default_text_embeddings_noprompt"])


@pytest.mark.slow
def test_names_in_81_templates(golden, encoder, tokenizer):
    names = golden["templated_names"].tolist()
    close(embed_names(encoder, tokenizer, names), golden["templated_text_embeddings"])
