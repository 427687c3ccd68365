import numpy as np
import pytest

from seem_model.train.dataset import CropDataset, is_free, read_folder


def crops(folder, **options):
    settings = {"sizes": (64,), "length": 8, "together": 2, "seed": 3} | options
    return CropDataset(read_folder(folder), **settings)


def test_a_crop_shows_its_targets(dataset):
    crop = crops(dataset)[0]
    assert crop.image.shape == (64, 64, 3)
    for target in crop.targets:
        colour = crop.image[target.mask].mean(0)
        strongest = 0 if target.name == "square" else 2
        assert colour.argmax() == strongest


def test_equal_seed_and_index_give_an_equal_crop(dataset):
    first, second = crops(dataset)[5], crops(dataset)[5]
    assert (first.image == second.image).all()


def test_crops_of_one_step_share_a_size(dataset):
    sides = [
        crop.image.shape[0] for crop in map(crops(dataset, sizes=(32, 64)).__getitem__, range(8))
    ]
    assert sides[0::2] == sides[1::2]


def test_nameless_objects_have_no_name(dataset):
    names = {target.name for index in range(8) for target in crops(dataset)[index].targets}
    assert names == {"square", None}


def test_only_chosen_sources_are_read(dataset):
    assert read_folder(dataset, sources=frozenset({"other"})) == []


def test_a_folder_without_annotations_is_no_dataset(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_folder(tmp_path)


def test_masks_keep_the_images_geometry(dataset):
    crop = crops(dataset, sizes=(96,))[1]
    grey = np.abs(crop.image.astype(int) - crop.image.mean(2, keepdims=True)).sum(2) < 30
    assert not any((target.mask & grey).sum() > 0.4 * target.mask.sum() for target in crop.targets)


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("CC BY 2.0", True),
        ("CC BY-SA 2.0", True),
        ("repo LICENSE: MIT", True),
        ("publisher (BBBC038): CC0 / public domain; repo has no LICENSE file", True),
        ("CC BY-NC-SA 2.0", False),
        ("CC BY-ND 2.0", False),
        ("publisher: free for research; repo has no LICENSE file", False),
        ("no licence file; README: cite if used in research", False),
        ("", False),
    ],
)
def test_only_licences_that_allow_all_uses_count_as_free(licence, free):
    assert is_free(licence) is free


def test_only_free_drops_images_without_a_licence(dataset):
    assert len(read_folder(dataset)) == 6
    assert read_folder(dataset, only_free=True) == []
