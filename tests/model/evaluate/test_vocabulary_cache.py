from __future__ import annotations

import numpy as np
import pytest
from small_checkpoints import text_reading_model

from seem_model.clip_tokenizer import ClipTokenizer
from seem_model.evaluate import vocabulary_cache
from seem_model.evaluate.datasets import DatasetInvalid
from seem_model.evaluate.vocabulary_cache import NAMES, vocabulary_of
from seem_model.vocabularies import embed_names


@pytest.fixture(scope="module")
def model():
    return text_reading_model()


@pytest.fixture(autouse=True)
def made(monkeypatch):
    """How often a vocabulary was made; of one template, not of 81."""
    calls = []

    def embed(encoder, tokenizer, names, *, progress):
        calls.append(names)
        return embed_names(encoder, tokenizer, names, ("{}.",), progress)

    monkeypatch.setattr(vocabulary_cache, "embed_names", embed)
    return calls


def test_the_vocabulary_is_all_names_and_the_background(model, made):
    rows = vocabulary_of(model, ClipTokenizer())
    assert made == [NAMES]
    assert rows.shape == (134, 32)
    assert NAMES[-1] == "background"
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


def test_a_file_saves_making_it_again(model, made, tmp_path):
    file = tmp_path / "names.npz"
    first = vocabulary_of(model, ClipTokenizer(), file)
    np.testing.assert_array_equal(vocabulary_of(model, ClipTokenizer(), file), first)
    assert len(made) == 1


def test_the_file_of_another_checkpoint_is_refused(model, tmp_path):
    file = tmp_path / "names.npz"
    vocabulary_of(model, ClipTokenizer(), file)
    with pytest.raises(DatasetInvalid, match="another checkpoint"):
        vocabulary_of(text_reading_model(seed=5), ClipTokenizer(), file)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04."])
def test_a_file_of_something_else_is_named(model, tmp_path, content):
    (tmp_path / "names.npz").write_bytes(content)
    with pytest.raises(DatasetInvalid, match=r"names\.npz"):
        vocabulary_of(model, ClipTokenizer(), tmp_path / "names.npz")


def test_a_folder_that_is_not_there_is_named(model, tmp_path):
    with pytest.raises(DatasetInvalid, match="absent"):
        vocabulary_of(model, ClipTokenizer(), tmp_path / "absent" / "names.npz")
