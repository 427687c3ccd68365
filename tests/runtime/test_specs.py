from __future__ import annotations

import pytest

from seem_server.runtime.specs import Filter, ImageSpec, LongSide, Rounding, ShortSide


@pytest.mark.parametrize("rule", [LongSide(512, 4), ShortSide(300, 512, Rounding.FLOOR)])
def test_an_images_longest_side_is_that_of_its_rule(rule):
    spec = ImageSpec(rule, Filter.BILINEAR, 32, (0, 0, 0), (1, 1, 1), ((512, 512),))
    assert spec.long_side == 512
