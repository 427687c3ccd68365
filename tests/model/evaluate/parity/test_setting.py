import numpy as np
import torch
from made_goldens import ORIGINAL, PADDED, RESIZED

from seem_model.evaluate.parity.setting import REFERENCE, network_input
from seem_model.variants import Wiring


def test_sizes_are_those_of_the_recorded_picture(setting_of):
    sizes = setting_of(Wiring.V1).sizes(REFERENCE)
    assert (sizes.original, sizes.resized, sizes.padded) == (ORIGINAL, RESIZED, PADDED)


def test_a_picture_is_normalised_and_then_padded():
    picture = np.full((33, 40, 3), 255, np.uint8)
    image = network_input(picture, 32, torch.float64)
    assert image.shape == (1, 3, 64, 64)
    assert image[0, 0, 32, 39] == (255 - 123.675) / 58.395
    assert image[0, :, 33:].abs().sum() == image[0, :, :, 40:].abs().sum() == 0


def test_a_picture_is_encoded_once(setting_of):
    setting = setting_of(Wiring.V1)
    assert setting.encoded() is setting.encoded()
    assert setting.everything() is setting.everything()


def test_close_calls_are_kept_while_runs_are_replayed(setting_of, monkeypatch):
    monkeypatch.setattr("seem_model.evaluate.parity.close_calls.CLOSE", 0.5)
    setting = setting_of(Wiring.V0)
    before = setting.everything()
    assert setting.close_calls == []
    setting.replay((), anew=True)
    assert setting.everything() is not before
    setting.decode(setting.features(), setting.nothing(setting.features()))
    assert {call.run for call in setting.close_calls} == {0, 1}
    call = min(setting.close_calls, key=lambda call: abs(call.logit))
    setting.replay([call], anew=False)
    other = [setting.decode(setting.features(), setting.nothing(setting.features())) for _ in "ab"]
    assert torch.equal(other[1 - call.run].answers.captions, before.answers.captions)
    assert not torch.equal(other[call.run].answers.captions, before.answers.captions)
    setting.forget()
    assert torch.equal(setting.everything().answers.captions, before.answers.captions)


def test_an_unrolled_frame_is_the_picture(setting_of):
    setting = setting_of(Wiring.DEMO)
    same, other = setting.rolled(0, 0), setting.rolled(5, 9)
    assert torch.equal(same.mask_features, setting.features().mask_features)
    assert not torch.allclose(other.mask_features, same.mask_features)
