import numpy as np
import pytest
import torch

from seem_model.train.batch import correct, make_slots, prompt_tensors
from seem_model.train.dataset import CropDataset, read_folder
from seem_model.train.vocabulary import Vocabulary


@pytest.fixture
def slots(dataset):
    data = CropDataset(read_folder(dataset), sizes=(64,), length=2, together=2, seed=0)
    rng = np.random.default_rng(0)
    return [make_slots(data[index], 3, rng) for index in range(2)]


def test_slots_ask_for_what_is_there(slots):
    assert all(slot.target.any() == slot.present for row in slots for slot in row)


def test_tensors_have_one_entry_a_slot(slots, letters):
    vocabulary = Vocabulary(["square"], letters)
    prompts = prompt_tensors(slots, None, vocabulary, np.random.default_rng(0))
    assert prompts.maps.shape == (2, 3, 5, 16, 16)
    assert prompts.points.shape[:2] == prompts.labels.shape[:2] == (2, 3)


def test_the_last_mask_becomes_the_memory(slots, letters):
    vocabulary = Vocabulary(["square"], letters)
    last = torch.randn(2, 3, 16, 16)
    prompts = prompt_tensors(slots, last, vocabulary, np.random.default_rng(0))
    assert (prompts.has_previous == 1).all()
    assert torch.equal(prompts.previous_mask, last)


def test_a_correction_adds_to_what_was_said(slots):
    before = [[len(s.prompt.points) + len(s.prompt.scribbles) for s in row] for row in slots]
    correct(slots, torch.full((2, 3, 32, 32), -1.0), np.random.default_rng(0))
    for row, counts in zip(slots, before, strict=True):
        for slot, count in zip(row, counts, strict=True):
            assert len(slot.prompt.points) + len(slot.prompt.scribbles) == count + slot.present
