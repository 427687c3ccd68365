import pytest

from seem_model.train.dataset import read_folder
from seem_model.train.held_out import _some, write_held_out
from seem_model.train.loop import is_held_out

SHARE = 0.6


@pytest.fixture
def written(dataset, tmp_path):
    out = tmp_path / "apart"
    return out, write_held_out(dataset, out, SHARE)


def test_only_images_kept_apart_are_written(dataset, written):
    out, count = written
    names = {image.path.name for image in read_folder(out / "stills")}
    apart = {image.path.name for image in read_folder(dataset) if is_held_out(image.path, SHARE)}
    assert names == apart
    assert 0 < len(names) == count < 6


@pytest.mark.parametrize("kind", ["stills", "text"])
def test_what_is_written_can_be_read_with_its_pictures(written, kind):
    out, _ = written
    for image in read_folder(out / kind):
        assert image.path.stat().st_size > 0
        assert {annotation["name"] for annotation in image.annotations} == {"square", "object"}


def test_where_nothing_is_kept_apart_the_datasets_are_empty(dataset, tmp_path):
    assert write_held_out(dataset, tmp_path / "apart", 0.0) == 0
    assert read_folder(tmp_path / "apart" / "stills") == []


def marked(*areas, kind="instance"):
    return [{"image_id": 1, "kind": kind, "area": area} for area in areas]


def test_of_many_things_few_of_all_sizes_are_taken():
    chosen = [entry["area"] for entry in _some(marked(*range(100, 1000, 100)), 3)]
    assert chosen == [200, 500, 800]


def test_crowds_and_specks_are_not_for_clicking():
    assert _some(marked(50) + marked(500, kind="crowd"), 3) == []
