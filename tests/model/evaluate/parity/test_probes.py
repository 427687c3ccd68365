import torch
from published_models import small_model

from seem_model.evaluate.parity.probes import Probes


def test_what_the_parts_gave_is_kept_under_recorded_names():
    model = small_model()
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode(), Probes(model) as probes:
        model.encode(image)
    maps = model.backbone(image)
    for name, expected in zip(("res2", "res3", "res4", "res5"), maps, strict=True):
        assert torch.equal(probes.maps[name], expected)
    assert probes.maps["stem_out"].shape == (1, 8, 16, 24)
    assert probes.maps["stage0_block0_out"].shape == (1, 16 * 24, 8)
    assert probes.maps["transformer_encoder_features"].shape == (1, 32, 2, 3)


def test_nobody_listens_afterwards():
    model = small_model()
    with Probes(model) as probes:
        pass
    model.encode(torch.randn(1, 3, 64, 64))
    assert probes.maps == {}
