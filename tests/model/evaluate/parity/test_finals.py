import numpy as np

from seem_model.evaluate.parity.finals import shown, shown_smooth, shown_straight
from seem_model.evaluate.parity.setting import Sizes

SIZES = Sizes(original=(60, 90), resized=(40, 60), padded=(64, 64))


def upper_left():
    logits = np.full((1, 16, 16), -4.0)
    logits[:, :5, :8] = 4  # the upper 20 rows and the left 32 columns of the padded picture
    return logits


def test_the_demo_shows_the_resized_picture():
    assert shown(upper_left(), SIZES).shape == (1, 40, 60)
    mask = shown(upper_left(), SIZES)[0] > 0
    assert mask.sum() == mask[:20, :32].sum() == 20 * 32 - 1  # but for the corner


def test_others_show_the_original_picture():
    for show in (shown_straight, shown_smooth):
        mask = show(upper_left(), SIZES) > 0
        assert mask.shape == (1, 60, 90)
        assert mask[0, :29, :47].all()
        assert not mask[0, 31:].any()
        assert not mask[0, :, 49:].any()


def test_smooth_and_straight_differ_between_pixels():
    assert not np.allclose(shown_straight(upper_left(), SIZES), shown_smooth(upper_left(), SIZES))
