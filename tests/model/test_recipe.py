import pytest

from seem_model.config import CONFIGS
from seem_model.train.recipe import RECIPES


def test_every_configuration_has_a_recipe():
    assert set(RECIPES) >= set(CONFIGS)
    assert {name.split("-")[0] for name in RECIPES} == set(CONFIGS)


@pytest.mark.parametrize("recipe", RECIPES.values())
def test_chances_of_rounds_sum_to_one(recipe):
    assert sum(recipe.rounds) == pytest.approx(1)


@pytest.mark.parametrize("recipe", RECIPES.values())
def test_crops_are_whole_multiples_of_the_networks_stride(recipe):
    assert all(size % 32 == 0 for size in recipe.crop_sizes)
