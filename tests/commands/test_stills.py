from __future__ import annotations

import json

import numpy as np
import pytest
from fake_server import fake_client
from made_dataset import annotation, block, made_dataset
from PIL import Image

from seem_server.commands.stills import (
    DatasetInvalid,
    evenly,
    opened,
    read_images,
    read_stills,
    take,
)
from seem_wire import rle

SQUARE = block(10, 10, 30, 30)


def many(tmp_path):
    """Three images with two targets each."""
    numbered = [annotation(n, SQUARE, image=(n + 1) // 2) for n in range(1, 7)]
    return read_stills(made_dataset(tmp_path, numbered, sources=("a", "b", "c")))


def ids(stills):
    return [target.annotation_id for still in stills for target in still.targets]


def test_it_reads_images_with_their_targets(tmp_path):
    (still,) = read_stills(made_dataset(tmp_path, [annotation(7, SQUARE)]))
    assert (still.source, still.path.is_file(), still.ignore) == ("made", True, None)
    assert np.array_equal(rle.decode(still.targets[0].rle), SQUARE)


def test_crowds_and_empty_masks_are_no_targets(tmp_path):
    listed = [
        annotation(1, SQUARE, iscrowd=1),
        annotation(2, SQUARE, iscrowd=0),
        annotation(3, block(0, 0, 0, 0)),
    ]
    assert ids(read_stills(made_dataset(tmp_path, listed))) == [2]


def test_the_band_to_ignore_is_kept(tmp_path):
    folder = made_dataset(tmp_path, [annotation(1, SQUARE)], ignore=SQUARE)
    assert np.array_equal(rle.decode(read_stills(folder)[0].ignore), SQUARE)


@pytest.mark.parametrize(("limit", "kept"), [(2, [1, 4]), (3, [1, 3, 5]), (6, 6), (None, 6)])
def test_a_limit_takes_targets_evenly_over_the_whole(tmp_path, limit, kept):
    taken = ids(take(many(tmp_path), limit))
    assert taken == kept or len(taken) == kept


def test_images_that_lose_all_targets_are_not_opened(tmp_path):
    assert len(take(many(tmp_path), 1)) == 1


def test_a_folder_without_annotations_is_no_dataset(tmp_path):
    with pytest.raises(DatasetInvalid, match=r"has no annotations\.json.*COCO-style"):
        read_stills(tmp_path)


@pytest.mark.parametrize(
    "document",
    [
        "no json",
        "[]",
        "{}",
        json.dumps({"images": [{"id": 1}], "annotations": []}),
    ],
)
def test_what_is_not_as_coco_has_it_is_refused_with_the_file(tmp_path, document):
    (tmp_path / "annotations.json").write_text(document)
    with pytest.raises(DatasetInvalid, match=r"annotations\.json cannot be read"):
        read_stills(tmp_path)


def test_uncompressed_run_lengths_are_refused(tmp_path):
    listed = annotation(1, SQUARE)
    listed["segmentation"]["counts"] = [0, 1]
    with pytest.raises(DatasetInvalid, match="not compressed"):
        read_stills(made_dataset(tmp_path, [listed]))


NAMES = ("cat", "object")


def test_targets_have_names_where_they_are_not_just_any_object(tmp_path):
    listed = [annotation(n, SQUARE, category_id=n) for n in (1, 2)]
    (still,) = read_stills(made_dataset(tmp_path, listed, names=NAMES))
    assert [target.name for target in still.targets] == ["cat", None]
    assert still.names == ("cat",)


def test_a_union_counts_crowds_and_everything_else_of_the_name(tmp_path):
    other = block(40, 40, 50, 50)
    listed = [
        annotation(1, SQUARE, category_id=1),
        annotation(2, other, category_id=1, iscrowd=1),
        annotation(3, block(0, 0, 5, 5), category_id=2),
    ]
    (still,) = read_stills(made_dataset(tmp_path, listed, names=NAMES))
    assert np.array_equal(still.union("cat"), SQUARE | other)


def test_an_image_with_nothing_but_a_crowd_is_an_image_without_targets(tmp_path):
    listed = [annotation(1, SQUARE, category_id=1, iscrowd=1)]
    folder = made_dataset(tmp_path, listed, names=NAMES, exhaustive=True)
    assert read_stills(folder) == ()
    (still,) = read_images(folder)
    assert (still.names, still.exhaustive) == (("cat",), True)


def test_a_category_that_is_not_listed_is_refused(tmp_path):
    with pytest.raises(DatasetInvalid, match="annotation 1 of image 1: there is no 5"):
        read_stills(made_dataset(tmp_path, [annotation(1, SQUARE, category_id=5)]))


def test_polygons_are_refused_with_the_annotation(tmp_path):
    listed = annotation(7, SQUARE)
    listed["segmentation"] = [[1, 1, 5, 1, 5, 5]]
    with pytest.raises(DatasetInvalid, match="annotation 7 of image 1: it has polygons"):
        read_stills(made_dataset(tmp_path, [listed]))


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ("garbage!", "a character that COCO never writes"),
        ("11", "cover 2 pixels, not 64 x 96"),
        ("Q", "end in the middle of a number"),
        (7, "not compressed"),
    ],
)
def test_run_lengths_that_are_none_are_refused_with_their_place(tmp_path, counts, why):
    wrong = {"size": [64, 96], "counts": counts}
    listed = [annotation(1, SQUARE), annotation(7, SQUARE) | {"segmentation": wrong}]
    with pytest.raises(DatasetInvalid, match=f"annotation 7 of image 1: .*{why}"):
        read_stills(made_dataset(tmp_path, listed))
    folder = made_dataset(tmp_path, [annotation(1, SQUARE)])
    document = json.loads((folder / "annotations.json").read_text())
    document["images"][0]["ignore"] = wrong
    (folder / "annotations.json").write_text(json.dumps(document))
    with pytest.raises(DatasetInvalid, match=f"image 1: the band to ignore: .*{why}"):
        read_stills(folder)


def test_an_annotation_of_an_image_that_is_not_listed_is_refused(tmp_path):
    with pytest.raises(DatasetInvalid, match="annotation 4 is of image 9"):
        read_stills(made_dataset(tmp_path, [annotation(4, SQUARE, image=9)]))


def test_a_blank_name_is_refused(tmp_path):
    with pytest.raises(DatasetInvalid, match="category 1 has a blank name"):
        read_stills(made_dataset(tmp_path, [annotation(1, SQUARE)], names=("\u200b",)))


@pytest.mark.parametrize("name", ["/somewhere/1.png", "../1.png", "a/../../1.png"])
def test_an_image_outside_of_the_folder_is_refused(tmp_path, name):
    folder = made_dataset(tmp_path, [annotation(1, SQUARE)])
    file = folder / "annotations.json"
    document = json.loads(file.read_text())
    document["images"][0]["file_name"] = name
    file.write_text(json.dumps(document))
    with pytest.raises(DatasetInvalid, match="outside of the folder"):
        read_stills(folder)


def test_a_huge_mask_is_refused_in_one_sentence(tmp_path):
    listed = annotation(3, SQUARE)
    listed["segmentation"]["size"] = [10**7, 10]
    with pytest.raises(DatasetInvalid, match="annotation 3 of image 1: ") as caught:
        read_stills(made_dataset(tmp_path, [listed]))
    assert caught.value.message.count(".") <= 2


@pytest.mark.parametrize(("limit", "kept"), [(None, (1, 2, 3, 4)), (9, (1, 2, 3, 4)), (2, (1, 3))])
def test_things_are_thinned_evenly(limit, kept):
    assert evenly([1, 2, 3, 4], limit) == kept


def test_the_ignored_band_does_not_count(tmp_path):
    folder = made_dataset(tmp_path, [annotation(7, SQUARE)], ignore=SQUARE)
    assert np.array_equal(read_stills(folder)[0].counted(SQUARE.shape), ~SQUARE)


def test_an_image_of_another_size_than_its_masks_is_refused_with_both_sizes(tmp_path):
    folder = made_dataset(tmp_path, [annotation(7, SQUARE)])
    (still,) = read_stills(folder)
    Image.new("RGB", (50, 40)).save(still.path)
    refused = r"40 x 50 pixels, the mask of annotation 7 64 x 96"
    refusal = pytest.raises(DatasetInvalid, match=refused)
    with fake_client() as client, refusal, opened(client, still):
        pytest.fail("it was opened")


def test_an_image_that_is_none_is_refused_by_its_name(tmp_path):
    (still,) = read_stills(made_dataset(tmp_path, [annotation(7, SQUARE)]))
    still.path.write_bytes(b"no image")
    refused = pytest.raises(DatasetInvalid, match=still.path.name)
    with fake_client() as client, refused, opened(client, still):
        pytest.fail("it was opened")


def test_an_image_that_is_missing_is_refused_by_its_name(tmp_path):
    (still,) = read_stills(made_dataset(tmp_path, [annotation(7, SQUARE)]))
    still.path.unlink()
    refused = pytest.raises(DatasetInvalid, match=still.path.name)
    with fake_client() as client, refused, opened(client, still):
        pytest.fail("it was opened")
