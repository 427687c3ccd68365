import numpy as np
import pytest
from made_goldens import thinned
from PIL import Image

from seem_model.evaluate.parity.golden import Golden
from seem_model.evaluate.parity.pictures import CLICKS, RECORDED, check_pictures, resized
from seem_model.evaluate.parity.sheet import Sheet

PICTURE = np.random.default_rng(2).integers(0, 256, (273, 375, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((273, 375), RECORDED, (182, 250)),
        ((375, 273), RECORDED, (250, 182)),
        ((100, 300), CLICKS, (444, 1333)),  # the long side would be 2400
    ],
)
def test_sides_are_cut_down_to_whole_pixels(size, resize, expected):
    picture = np.zeros((*size, 3), np.uint8)
    assert resized(picture, resize).shape == (*expected, 3)


def test_recorded_pictures_are_compared_from_raw_to_padded(tmp_path):
    small = np.asarray(Image.fromarray(PICTURE).resize((250, 182), Image.Resampling.BICUBIC))
    mean, std = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])
    padded = np.zeros((1, 3, 192, 256), np.float32)
    padded[0, :, :182, :250] = ((small - mean) / std).transpose(2, 0, 1)
    large = resized(PICTURE, type(RECORDED)(512, 9999))
    wide = np.zeros((444, 1333, 3), np.uint8)
    path = tmp_path / "preprocess.npz"
    arrays = {"resized0": small, "raw0": PICTURE, "resized1": small + 2, "raw1": PICTURE}
    arrays |= thinned("padded0", padded, (1, 1, 3, 3)) | {"padded1": padded}
    arrays |= {"resized512_shape": large.shape, "resized512_s8": large[::8, ::8]}
    arrays |= {"raw_100x300": np.zeros((100, 300, 3), np.uint8), "resize800_s16": wide[::16, ::16]}
    np.savez(path, **arrays, resize800max1333_of_100x300_shape=wide.shape)
    sheet = Sheet(Golden(path))
    check_pictures(sheet)
    assert [row.array for row in sheet.close() if not row.ok] == ["resized1", "padded1"]
