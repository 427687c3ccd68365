from dataclasses import replace

import numpy as np
import pytest
import torch

from seem_model.train import batch
from seem_model.train.batch import Shown, Slot, correct, make_slots, prompt_tensors
from seem_model.train.dataset import Crop, CropDataset, Target, read_folder
from seem_model.train.vocabulary import Vocabulary
from seem_wire.prompts import Box, Lasso, ObjectPrompt, Point

MEANINGS = torch.nn.functional.normalize(
    torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(0)), dim=1
)
LEFT, TOP, RIGHT = (np.zeros((64, 64), bool) for _ in range(3))
LEFT[:, :32], TOP[:16], RIGHT[:, 40:] = True, True, True
SEEDS = range(40)


def crop(*things, named=None, absent=()):
    """A crop that shows (name, mask) and knows `named`, by default all of them."""
    targets = tuple(Target(mask, name) for name, mask in things)
    known = dict(things) if named is None else named
    nothing = np.zeros((64, 64, 3), np.uint8)
    return Crop(nothing, targets, known, absent, "made", np.full((8, 8), -1, np.int16))


@pytest.fixture
def slots(dataset):
    images = read_folder(dataset)
    data = CropDataset(images, ["square"], sizes=(64,), length=2, together=2, seed=0)
    return make_slots([data[0], data[1]], 3, np.random.default_rng(0), ["zebra"])


@pytest.fixture
def vocabulary(letters):
    return Vocabulary(["square"], letters, others=["zebra"])


def test_slots_ask_for_what_is_there(slots):
    assert all(slot.target.any() == slot.present for row in slots for slot in row)


def test_tensors_have_one_entry_a_slot(slots, vocabulary):
    prompts = prompt_tensors(slots, None, vocabulary, np.random.default_rng(0), MEANINGS)
    assert prompts.maps.shape == (2, 3, 6, 16, 16)
    assert prompts.points.shape[:2] == prompts.labels.shape[:2] == (2, 3)


def test_the_last_mask_becomes_the_memory(slots, vocabulary):
    last = torch.randn(2, 3, 16, 16)
    prompts = prompt_tensors(slots, last, vocabulary, np.random.default_rng(0), MEANINGS)
    assert (prompts.has_previous == 1).all()
    assert torch.equal(prompts.previous_mask, last)


def count_said(prompt):
    outlines = len(prompt.negative_boxes) + len(prompt.lassos)
    return len(prompt.points) + len(prompt.scribbles) + outlines


def test_a_correction_adds_to_what_was_said(slots):
    before = [[count_said(slot.prompt) for slot in row] for row in slots]
    correct(slots, torch.full((2, 3, 32, 32), -1.0), np.random.default_rng(0))
    for row, counts in zip(slots, before, strict=True):
        for slot, count in zip(row, counts, strict=True):
            assert count_said(slot.prompt) == count + slot.present


def example_slots(crops, index):
    return [batch._example_slot(crops, index, np.random.default_rng(seed)) for seed in SEEDS]


def test_an_example_is_shown_in_the_other_crop_of_the_pair_or_in_this_one():
    slots = example_slots([crop(("cat", LEFT)), crop(("cat", TOP))], 1)
    assert {slot.example.crop for slot in slots} == {0, 1}
    for slot in slots:
        shown = TOP if slot.example.crop else LEFT
        assert np.array_equal(slot.example.where, shown[4::8, 4::8])


def test_everything_of_the_examples_name_is_to_be_found():
    both = LEFT | RIGHT
    slots = example_slots([crop(("cat", LEFT), ("cat", RIGHT), named={"cat": both})] * 2, 0)
    assert all(np.array_equal(slot.target, both[::2, ::2]) for slot in slots)
    assert any(slot.example.where.mean() < both.mean() for slot in slots)


def test_an_own_example_is_one_instance():
    lonely = [crop(("cat", LEFT), ("cat", RIGHT)), crop(("dog", TOP))]
    shares = {float(slot.example.where.mean()) for slot in example_slots(lonely, 0)}
    assert shares == {float(LEFT.mean()), float(RIGHT.mean())}


def test_a_crop_without_a_pair_shows_its_own_example():
    assert {slot.example.crop for slot in example_slots([crop(("cat", LEFT))], 0)} == {0}


def test_without_names_there_is_no_example():
    assert example_slots([crop(("cat", LEFT), named={})], 0) == [None] * len(SEEDS)


def test_an_example_is_the_mean_meaning_under_the_cells_shown():
    slot = Slot(LEFT, ObjectPrompt(), "cat", example=Shown(1, LEFT[4::8, 4::8].astype(np.float32)))
    vectors, known = batch._examples([[Slot(LEFT, ObjectPrompt(), None), slot]], MEANINGS)
    mean = MEANINGS[1, :, :, :4].mean((1, 2))
    torch.testing.assert_close(vectors[0, 1], mean / mean.norm())
    assert vectors[0, 0].eq(0).all()
    assert known.tolist() == [[0, 1]]


def test_an_examples_meaning_passes_the_gradient_on():
    meanings = MEANINGS.clone().requires_grad_()
    slot = Slot(LEFT, ObjectPrompt(), "cat", example=Shown(0, LEFT[4::8, 4::8].astype(np.float32)))
    batch._examples([[slot]], meanings)[0][..., 0].sum().backward()
    assert meanings.grad[0, :, :, :4].any()
    assert not meanings.grad[1].any()


def text_slots(shown, unheard_of):
    return [batch._text_slot(shown, np.random.default_rng(seed), unheard_of) for seed in SEEDS]


def test_texts_name_what_is_there_what_is_not_and_what_nobody_heard_of():
    slots = text_slots(crop(("cat", LEFT), absent=("dog",)), ["zebra"])
    assert {(slot.prompt.text, slot.present) for slot in slots} == {
        ("cat", True),
        ("dog", False),
        ("zebra", False),
    }


def test_of_what_is_absent_nothing_is_to_be_found():
    slots = text_slots(crop(("cat", LEFT), absent=("dog",)), ["zebra"])
    assert all(slot.target.any() == slot.present == (slot.name == "cat") for slot in slots)


def test_without_absent_names_texts_name_what_is_there():
    assert all(slot.present for slot in text_slots(crop(("cat", LEFT)), []))


def test_a_name_is_said_besides_what_is_drawn():
    slots = [batch._visual_slot(LEFT, "cat", np.random.default_rng(seed)) for seed in range(400)]
    named = [replace(slot.prompt, text=None) for slot in slots if slot.prompt.text]
    assert len(named) > 20
    assert not any(drawn.is_empty for drawn in named)


CLICK = Point(3.0, 3.0)
LASSO = Lasso(((0.0, 0.0), (9.0, 0.0), (9.0, 9.0)))


@pytest.mark.parametrize(
    ("prompt", "ambiguous"),
    [
        (ObjectPrompt((CLICK,)), True),
        (ObjectPrompt((Point(3.0, 3.0, positive=False),)), False),
        (ObjectPrompt((CLICK, CLICK)), False),
        (ObjectPrompt((CLICK,), box=Box(0.0, 0.0, 9.0, 9.0)), False),
        (ObjectPrompt((CLICK,), text="cat"), False),
        (ObjectPrompt((CLICK,), lassos=(LASSO,)), False),
        (ObjectPrompt(lassos=(LASSO,)), False),
    ],
)
def test_a_lone_positive_click_is_ambiguous(prompt, ambiguous):
    assert Slot(LEFT, prompt, None).is_ambiguous is ambiguous


def test_a_click_beside_an_example_is_not_ambiguous():
    example = Shown(0, LEFT[4::8, 4::8].astype(np.float32))
    assert not Slot(LEFT, ObjectPrompt((CLICK,)), None, example=example).is_ambiguous
