from __future__ import annotations

from dataclasses import replace

import pytest

from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.fake_backend import MANIFEST
from seem_server.runtime.specs import (
    APPEARANCE,
    Filter,
    ImageSpec,
    LongSide,
    QueriesSpec,
    Rounding,
    ShortSide,
    Wiring,
)


def test_a_bundle_follows_where_it_refines_and_tells_what_places_look_like():
    assert MANIFEST.follows
    assert read_bundle("tiny").manifest.follows
    assert not replace(MANIFEST, features=APPEARANCE[:1]).follows
    queries = QueriesSpec(Wiring.V1, (0,), 4, 0, 1, 8)
    assert not replace(MANIFEST, decoder=queries).follows


def test_the_name_that_stands_for_no_other_is_given_to_nothing():
    names = MANIFEST.vocabulary.names
    assert MANIFEST.given_names == names[:-1]
    assert replace(MANIFEST, everything=None).given_names == names


@pytest.mark.parametrize("rule", [LongSide(512, 4), ShortSide(300, 512, Rounding.FLOOR)])
def test_an_images_longest_side_is_that_of_its_rule(rule):
    spec = ImageSpec(rule, Filter.BILINEAR, 32, (0, 0, 0), (1, 1, 1), ((512, 512),))
    assert spec.long_side == 512
