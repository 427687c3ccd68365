import pytest

from seem_model.published_bundle import buckets, default_options
from seem_model.variants import VARIANTS, Resize


def test_buckets_are_padded_inputs_of_usual_photographs():
    sizes = buckets(VARIANTS["focalt_v0"], Resize(512, 1024))
    assert sizes[0] == [512, 704]  # 4:3
    assert [704, 512] in sizes
    assert [512, 928] in sizes  # 16:9: 910 wide
    assert [512, 512] in sizes
    assert len({tuple(size) for size in sizes}) == len(sizes)


def test_a_long_image_is_held_to_the_longest_side():
    assert [288, 512] in buckets(VARIANTS["focalt_v0"], Resize(512, 512))


@pytest.mark.parametrize("name", ["samvitb_v1", "samvitl_v1"])
def test_sam_has_one_input(name):
    variant = VARIANTS[name]
    assert buckets(variant, default_options(variant).resize) == [[1024, 1024]]


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_marks_are_answered_by_fixed_rows(variant):
    rows = default_options(variant).query_rows
    assert len(set(rows)) == len(rows) == variant.queries_per_object
    assert all(0 <= row < 101 for row in rows)
