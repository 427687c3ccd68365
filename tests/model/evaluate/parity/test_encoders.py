import numpy as np
from made_goldens import rewrite

from seem_model.evaluate.parity.encoders import encoder_maps
from seem_model.variants import Wiring


def test_maps_on_the_way_and_at_the_end_are_as_recorded(recorders, verdicts):
    rows = verdicts(recorders[Wiring.V1].encoder(), Wiring.V1)
    assert [name for name, row in rows.items() if not row.ok] == []
    assert len(rows) == 4


def test_a_wrong_map_is_caught(recorders, verdicts, tmp_path):
    path = recorders[Wiring.V1].encoder()
    wrong = np.load(path)["res2"] * 1.001
    rows = verdicts(rewrite(path, tmp_path, res2=wrong), Wiring.V1)
    assert [name for name, row in rows.items() if not row.ok] == ["res2"]


def test_scales_without_their_level_are_the_pixel_decoders(setting_of):
    setting = setting_of(Wiring.V1)
    seen = encoder_maps(setting)
    blind = setting_of(Wiring.V1)
    blind._encoded[0] = type(setting.encoded())(setting.features())
    np.testing.assert_allclose(
        encoder_maps(blind)["multi_scale_2"], seen["multi_scale_2"], atol=1e-12
    )
