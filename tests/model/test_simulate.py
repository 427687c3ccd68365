import numpy as np
import pytest

from seem_model.train import simulate
from seem_wire.prompts import ObjectPrompt

ROWS, COLUMNS = np.mgrid[:40, :60]
DISK = (ROWS - 20) ** 2 + (COLUMNS - 30) ** 2 < 12**2
SEEDS = range(20)


def value_at(mask, point, step=2):
    return mask[int(point.y / step), int(point.x / step)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_click_lies_on_the_object(seed):
    rng = np.random.default_rng(seed)
    assert value_at(DISK, simulate.click_inside(DISK, 2, rng, positive=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_correction_lies_on_the_error_with_its_sign(seed):
    rng = np.random.default_rng(seed)
    predicted = np.roll(DISK, 9, axis=1)
    prompt = simulate.corrected(ObjectPrompt(), DISK, predicted, 2, rng)
    for point in prompt.points:
        assert value_at(DISK, point) == point.positive
        assert value_at(predicted, point) != point.positive


def test_a_perfect_mask_is_not_corrected():
    prompt = ObjectPrompt()
    rng = np.random.default_rng(0)
    assert simulate.corrected(prompt, DISK, DISK, 2, rng) is prompt


@pytest.mark.parametrize("seed", SEEDS)
def test_a_box_has_an_area_and_stays_near(seed):
    box = simulate.loose_box(DISK, 2, np.random.default_rng(seed))
    assert 36 - 6 <= box.x0 < box.x1 <= 86 + 6
    assert 16 - 6 <= box.y0 < box.y1 <= 66 + 6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rough_mask_overlaps_the_true_one(seed):
    rough = simulate.rough_mask(DISK, 2, np.random.default_rng(seed))
    true = np.kron(DISK, np.ones((2, 2))).astype(bool)
    assert rough.shape == true.shape
    assert (rough & true).sum() > 0.4 * (rough | true).sum()


def test_every_kind_of_first_prompt_says_where_the_object_is():
    rng = np.random.default_rng(0)
    prompts = [simulate.first_prompt(DISK, 2, rng) for _ in range(80)]
    assert all(prompt.has_positive for prompt in prompts)
    assert any(p.box for p in prompts)
    assert any(p.scribbles for p in prompts)
    assert any(p.mask for p in prompts)
