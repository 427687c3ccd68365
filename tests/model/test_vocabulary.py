import numpy as np
import pytest

from seem_model.train.vocabulary import Vocabulary


@pytest.fixture
def vocabulary(letters):
    return Vocabulary(["cat", "zebra"], letters)


def test_slots_without_a_text_are_masked(vocabulary):
    states, mask = vocabulary.states([["cat", None]], np.random.default_rng(0))
    assert mask[0, 0].sum() > 0
    assert mask[0, 1].sum() == 0
    assert states.shape[:3] == mask.shape


def test_no_text_at_all_still_has_one_padding_token(vocabulary):
    states, mask = vocabulary.states([[None]], np.random.default_rng(0))
    assert states.shape == (1, 1, 1, 32)
    assert mask.sum() == 0


def test_plain_names_have_a_row_each(vocabulary):
    states, mask = vocabulary.plain()
    assert mask.sum(1).tolist() == [3, 5]
    assert states.shape == (2, 5, 32)
