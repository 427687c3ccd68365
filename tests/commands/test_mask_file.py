from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seem_server.commands.mask_file import read_mask

CLEAR, BLACK, WHITE = (0, 0, 0, 0), (0, 0, 0, 255), (255, 255, 255, 255)


def saved(folder, mode, inside, outside=0):
    """A mask file with one pixel inside, in column 2 of row 1."""
    image = Image.new(mode, (6, 4), outside)
    image.putpixel((2, 1), inside)
    image.save(folder / "mask.png")
    return folder / "mask.png"


@pytest.mark.parametrize(
    ("mode", "inside", "outside"),
    [
        ("1", 1, 0),
        ("L", 1, 0),
        ("P", 3, 0),
        ("I;16", 1, 0),
        ("RGB", (200, 200, 200), 0),
        ("RGBA", WHITE, BLACK),
        ("RGBA", BLACK, CLEAR),
        ("RGBA", WHITE, (255, 255, 255, 0)),
        ("RGBA", (0, 0, 0, 128), (255, 255, 255, 127)),
        ("LA", (0, 255), (255, 0)),
        ("LA", (255, 255), (0, 255)),
    ],
)
def test_mask_files_of_any_kind_mark_the_same(tmp_path, mode, inside, outside):
    path = saved(tmp_path, mode, inside, outside)
    assert np.argwhere(read_mask(path)).tolist() == [[1, 2]]


def test_a_file_that_is_no_image_is_an_error_of_the_system(tmp_path):
    (tmp_path / "mask.png").write_text("no image")
    with pytest.raises(OSError, match="cannot identify"):
        read_mask(tmp_path / "mask.png")
