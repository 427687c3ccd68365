import re

from seem_model.config import CONFIGS, LITE
from seem_model.seem import Seem


def test_configurations_are_found_by_their_name():
    assert {name: config.name for name, config in CONFIGS.items()} == {
        "lite": "lite",
        "tiny": "tiny",
    }


def test_tiny_is_under_a_megabyte(tiny):
    assert sum(p.numel() * p.element_size() for p in tiny.parameters()) < 1_000_000


def parts(model):
    """The names of all that learns after the backbone, as if there were one layer of a kind."""
    return {
        re.sub(r"layers\.\d+", "layers", name)
        for name, _ in model.named_parameters()
        if not name.startswith("backbone.")
    }


def test_lite_is_the_same_model_with_other_sizes(tiny):
    assert parts(tiny) == parts(Seem(LITE))
