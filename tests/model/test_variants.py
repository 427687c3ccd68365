import pytest

from seem_model.variants import VARIANTS, DaViTConfig, FocalNetConfig, SamViTConfig, Wiring


def test_there_are_the_ten_published_variants():
    assert sorted(VARIANTS) == [
        "davitd3_v1",
        "davitd5_v1",
        "focall_demo",
        "focall_v0",
        "focall_v1",
        "focalt_demo",
        "focalt_v0",
        "focalt_v1",
        "samvitb_v1",
        "samvitl_v1",
    ]


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_name_tells_backbone_and_wiring(variant):
    kind = {"focal": FocalNetConfig, "davit": DaViTConfig, "samvi": SamViTConfig}
    assert isinstance(variant.backbone, kind[variant.name[:5]])
    assert variant.name.endswith(f"_{variant.wiring}")
    assert variant.deformable is isinstance(variant.backbone, SamViTConfig)


@pytest.mark.parametrize(
    ("wiring", "queries", "memory", "threshold"),
    [(Wiring.V0, 101, True, 0.8), (Wiring.V1, 3, True, 0.8), (Wiring.DEMO, 101, False, 0.4)],
)
def test_a_wiring_tells_queries_memory_and_threshold(wiring, queries, memory, threshold):
    variant = VARIANTS[f"focalt_{wiring}"]
    assert variant.queries_per_object == queries
    assert variant.has_memory is memory
    assert variant.panoptic_threshold == threshold


def test_sam_has_one_size():
    for name in ("samvitb_v1", "samvitl_v1"):
        variant = VARIANTS[name]
        assert variant.divisor == variant.backbone.image_side == 1024
        assert max(variant.interactive.long_side, variant.generic.long_side) <= 1024


def test_focal_channels_double():
    assert VARIANTS["focall_v0"].backbone.channels == (192, 384, 768, 1536)
