from __future__ import annotations

import pytest

from seem_model.evaluate.published_tables import published
from seem_model.variants import VARIANTS


def test_each_protocol_has_its_own_measures():
    assert dict(published("panoptic", "focalt_v1")) == {"PQ": 50.8}
    assert dict(published("refcoco", "focall_v1")) == {"cIoU": 62.4, "mIoU": 67.8, "AP50": 76.0}
    assert dict(published("clicks", "focalt_v0")) == {"NoC85": 3.54, "NoC90": 4.59}
    assert dict(published("semantic", "samvitb_v1")) == {"mIoU": 60.2}


@pytest.mark.parametrize("variant", VARIANTS)
def test_released_checkpoints_are_in_the_tables_and_no_others(variant):
    released = variant.startswith(("focal", "sam")) and not variant.endswith("demo")
    assert bool(published("instance", variant)) == released
