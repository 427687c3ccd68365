import numpy as np
import pytest

from seem_model.train import simulate
from seem_wire.pixels import inside_lasso
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
    assert any(p.lassos for p in prompts)
    assert any(not point.positive for p in prompts for point in p.points)


def inside(lasso, step=2):
    """The pixels of the target's frame that a lasso holds."""
    height, width = DISK.shape
    return inside_lasso(lasso, (np.arange(width) + 0.5) * step, (np.arange(height) + 0.5) * step)


def within(box, step=2):
    """The pixels of the target's frame whose centre a box holds."""
    x, y = (COLUMNS + 0.5) * step, (ROWS + 0.5) * step
    return (box.x0 <= x) & (x < box.x1) & (box.y0 <= y) & (y < box.y1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lasso_holds_most_of_the_target_and_stays_near(seed):
    held = inside(simulate.loose_lasso(DISK, 2, np.random.default_rng(seed), positive=True))
    assert held[DISK].mean() > 0.85
    assert held.sum() < 2 * DISK.sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lasso_goes_around_all_parts_of_a_target(seed):
    parts = DISK & ((COLUMNS < 26) | (COLUMNS > 34))
    held = inside(simulate.loose_lasso(parts, 2, np.random.default_rng(seed), positive=True))
    assert held[parts].mean() > 0.7


def fenced_off(region, target, seed):
    rng = np.random.default_rng(seed)
    return simulate._fenced_off(ObjectPrompt(), region, target, 2, rng)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_too_much_beside_the_target_is_fenced_off_without_it(seed):
    region = np.roll(DISK, 9, axis=1) & ~DISK
    prompt = fenced_off(region, DISK, seed)
    held = [inside(lasso) for lasso in prompt.lassos] + [within(b) for b in prompt.negative_boxes]
    assert len(held) == 1
    assert (held[0] & region).any()
    assert not (held[0] & DISK).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_too_much_far_from_the_target_is_boxed(seed):
    region = (ROWS > 5) & (ROWS < 15) & (COLUMNS > 48)
    (box,) = fenced_off(region, DISK, seed).negative_boxes
    assert within(box)[region].mean() > 0.6


def test_a_speck_of_too_much_is_clicked_away():
    speck = (ROWS == 20) & (COLUMNS == 43)
    (point,) = fenced_off(speck, DISK | np.roll(DISK, 13, axis=1) & ~speck, 0).points
    assert not point.positive


def test_corrections_fence_off_what_is_too_much_at_times():
    predicted = np.roll(DISK, 9, axis=1) | DISK
    prompts = [
        simulate.corrected(ObjectPrompt(), DISK, predicted, 2, np.random.default_rng(seed))
        for seed in range(80)
    ]
    fenced = [p for p in prompts if p.lassos or p.negative_boxes]
    assert 0 < len(fenced) < 20
    assert not any(lasso.positive for p in fenced for lasso in p.lassos)


def test_what_is_too_much_all_around_the_target_is_fenced_off_without_it():
    halo = ((ROWS - 20) ** 2 + (COLUMNS - 30) ** 2 < 18**2) & ~DISK
    prompt = fenced_off(halo, DISK, 0)
    assert not any((inside(lasso) & DISK).any() for lasso in prompt.lassos)


@pytest.mark.parametrize("seed", range(10))
def test_a_line_along_the_middle_keeps_to_the_middle(seed):
    bar = np.zeros((40, 80), bool)
    bar[15:26, 5:75] = True
    line = simulate._middle_line(bar, np.random.default_rng(seed))
    assert len(line) >= 2
    assert np.ptp(line[:, 0]) > 10
    assert (abs(line[:, 1] - 20.5) < 3).all()


def test_a_line_in_a_speck_is_a_line():
    speck = np.zeros((8, 8), bool)
    speck[3, 4] = True
    line = simulate._middle_line(speck, np.random.default_rng(0))
    assert len(line) == 2
    assert (np.floor(line) == [4, 3]).all()
