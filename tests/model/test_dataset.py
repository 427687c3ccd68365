import numpy as np
import pytest

from seem_model.train import dataset as module
from seem_model.train.dataset import (
    NOTHING,
    UNKNOWN,
    CropDataset,
    is_free,
    read_folder,
)

SMALL, LARGE, RIGHT = (np.zeros((64, 64), bool) for _ in range(3))
SMALL[8:24, 8:24], LARGE[:40, :40], RIGHT[:, 44:] = True, True, True


def crops(folder, **options):
    settings = {"sizes": (64,), "length": 8, "together": 2, "seed": 3} | options
    return CropDataset(read_folder(folder), ["square"], **settings)


def drawn_from(images, names, **options):
    settings = {"sizes": (64,), "length": 40, "together": 2, "seed": 3} | options
    data = CropDataset(images, names, **settings)
    return [data[index] for index in range(len(data))]


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


def test_crops_of_a_pair_share_a_name(make_image):
    images = [make_image((name, LARGE)) for name in ("cat", "dog", "cow") for _ in range(2)]
    crops = drawn_from(images, ["cat", "dog", "cow"])
    assert all(set(a.named) & set(b.named) for a, b in zip(crops[::2], crops[1::2], strict=True))


def test_crops_of_a_pair_are_not_the_same_view(make_image):
    first, second = drawn_from([make_image(("cat", LARGE))], ["cat"], length=2)
    assert not np.array_equal(first.named["cat"], second.named["cat"])


def pasted(mask, *, behind):
    """`behind` after a white thing of `mask` was put into their black picture."""
    black, white = (np.full((64, 64, 3), grey, np.uint8) for grey in (0, 255))
    view = module._View(black, [("dog", "instance", there) for there in behind])
    other = module._View(white, [("cat", "instance", mask)])
    module._paste(view, other, "cat", np.random.default_rng(0))
    return view


def test_a_pasted_thing_hides_what_is_behind_it():
    view = pasted(SMALL, behind=[LARGE])
    (name, _, front), (_, _, behind) = view.things
    assert name == "cat"
    assert np.array_equal(front, SMALL)
    assert np.array_equal(behind, LARGE & ~SMALL)
    assert view.image[16, 16, 0] > 250
    assert view.image[30, 30, 0] < 5


def test_what_a_pasted_thing_hides_altogether_is_no_longer_there():
    assert [name for name, _, _ in pasted(SMALL, behind=[SMALL]).things] == ["cat"]


def test_a_thing_that_fills_the_picture_is_not_pasted():
    assert [name for name, _, _ in pasted(~SMALL, behind=[LARGE]).things] == ["dog"]


def test_what_was_pasted_is_not_absent(make_image, monkeypatch):
    monkeypatch.setattr(module, "N_PASTED", (0.0, 1.0))
    images = [make_image((name, SMALL), source="coco") for name in ("cat", "dog", "cow")]
    crops = drawn_from(images, ["cat", "dog", "cow"])
    shown = [{target.name for target in crop.targets} for crop in crops]
    assert any(len(names) == 2 for names in shown)
    assert not any(names & set(crop.absent) for names, crop in zip(shown, crops, strict=True))


def test_a_pasted_thing_is_not_all_of_a_name_that_the_source_does_not_mark(make_image, monkeypatch):
    monkeypatch.setattr(module, "N_PASTED", (0.0, 1.0))
    images = [make_image(("hat", SMALL), source="ccp"), make_image(("cat", SMALL), source="coco")]
    crops = [crop for crop in drawn_from(images, ["cat", "hat"]) if crop.source == "ccp"]
    assert not any("cat" in crop.named for crop in crops)


def labels(image, view_of):
    data = CropDataset([image], ["cat", "dog"], sizes=(64,), length=1, together=1, seed=0)
    things = [(name, "instance", mask) for name, mask in view_of]
    return data._labels(image, module._View(np.zeros((64, 64, 3), np.uint8), things))


@pytest.mark.parametrize("order", [1, -1])
def test_on_a_label_map_smaller_things_lie_on_larger_ones(make_image, order):
    things = [("cat", SMALL), ("dog", LARGE)][::order]
    seen = labels(make_image(*things), things)
    assert seen.shape == (8, 8)
    assert seen[1, 1] == 0
    assert seen[4, 4] == 1


@pytest.mark.parametrize(("exhaustive", "elsewhere"), [(True, NOTHING), (False, UNKNOWN)])
def test_elsewhere_is_nothing_only_where_all_is_marked(make_image, exhaustive, elsewhere):
    image = make_image(("cat", SMALL), exhaustive=exhaustive)
    assert labels(image, [("cat", SMALL)])[6, 6] == elsewhere


def test_a_thing_without_a_name_is_not_known_to_be_nothing(make_image):
    assert labels(make_image(("object", LARGE)), [("object", LARGE)])[1, 1] == UNKNOWN


def test_where_not_all_is_marked_no_name_is_known_to_be_whole_or_absent(make_image):
    images = [make_image((name, LARGE), exhaustive=False) for name in ("cat", "dog")]
    assert all(
        crop.named == {} and crop.absent == () for crop in drawn_from(images, ["cat", "dog"])
    )


def test_a_crop_tells_its_source_and_its_labels_agree_with_its_names(make_image):
    crop = drawn_from([make_image(("cat", LARGE))], ["cat"], length=1)[0]
    assert crop.source == "made"
    assert np.array_equal(crop.labels == 0, crop.named["cat"][4::8, 4::8])


def test_a_source_that_marks_all_of_its_names_has_whole_names_but_no_absent_ones(make_image):
    images = [make_image((n, LARGE), source="horse", exhaustive=False) for n in ("horse", "rider")]
    drawn = drawn_from(images, ["horse", "rider"])
    assert all(crop.named and not crop.absent for crop in drawn)
