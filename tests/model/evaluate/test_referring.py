from __future__ import annotations

import json
import pickle

import pytest
from made_coco import SIZE, as_coco, block

from seem_model.evaluate.datasets import DatasetInvalid
from seem_model.evaluate.referring import read_pickled, read_references

FIRST, SECOND = block(2, 2, 10, 10), block(20, 20, 30, 40)
IMAGES = [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}]
MASKS = [
    {"id": 70, "image_id": 7, "segmentation": as_coco(FIRST)},
    {"id": 80, "image_id": 8, "segmentation": as_coco(SECOND)},
    {"id": 71, "image_id": 7, "segmentation": as_coco(SECOND)},
]
INSTANCES = {"images": IMAGES, "annotations": MASKS}


def reference(number, image, mask, *sentences, split="val"):
    said = [{"raw": one, "sent": one.lower().strip(".")} for one in sentences]
    fields = {"ref_id": number, "image_id": image, "ann_id": mask}
    return fields | {"split": split, "sentences": said}


REFERENCES = [
    reference(1, 7, 70, "The Cat.", "a tabby"),
    reference(2, 8, 80, "A dog"),
    reference(3, 7, 71, "the OTHER cat"),
    reference(4, 8, 80, "hidden", split="test"),
]


def of_instances(folder):
    (folder / "instances.json").write_text(json.dumps(INSTANCES))
    return folder / "instances.json"


def as_pickle(folder, protocol=2):
    file = folder / "refs(umd).p"
    file.write_bytes(pickle.dumps(REFERENCES, protocol))
    return {"file": file, "instances": of_instances(folder)}


def as_list(folder):
    (folder / "refs.json").write_text(json.dumps(REFERENCES))
    return {"file": folder / "refs.json", "instances": of_instances(folder)}


def as_document(folder):
    masks = {mask["id"]: mask for mask in MASKS}
    annotations = [
        masks[one["ann_id"]] | {"sentences": one["sentences"], "split": one["split"]}
        for one in REFERENCES
        if one["split"] == "val"
    ]
    file = folder / "refcocog_umd_val.json"
    file.write_text(json.dumps({"images": IMAGES, "annotations": annotations}))
    return {"file": file}


@pytest.mark.parametrize("write", [as_pickle, as_list, as_document])
def test_every_form_gives_first_sentences_by_picture_in_lower_case(tmp_path, write):
    first, second = read_references(images=tmp_path / "images", **write(tmp_path))
    assert first.path == tmp_path / "images" / "a.jpg"
    assert [one.sentence for one in first.references] == ["the cat.", "the other cat"]
    assert [one.sentence for one in second.references] == ["a dog"]
    assert (first.references[0].draw(SIZE) == FIRST).all()
    assert (first.references[1].draw(SIZE) == SECOND).all()


def test_other_splits_are_read_by_name(tmp_path):
    (picture,) = read_references(images=tmp_path, split="test", **as_pickle(tmp_path))
    assert [one.sentence for one in picture.references] == ["hidden"]
    with pytest.raises(DatasetInvalid, match="'train'"):
        read_references(images=tmp_path, split="train", **as_pickle(tmp_path))


def test_a_list_alone_needs_the_instances(tmp_path):
    file = as_pickle(tmp_path)["file"]
    with pytest.raises(DatasetInvalid, match="name the instances"):
        read_references(file, tmp_path)


def test_a_pickle_of_python_2_is_read(tmp_path):
    file = tmp_path / "refs.p"
    # protocol 0, as Python 2 wrote [{'sent': 'caf\xc3\xa9'}]
    file.write_bytes(b"(lp0\n(dp1\nS'sent'\np2\nS'caf\\xc3\\xa9'\np3\nsa.")
    assert read_pickled(file) == [{"sent": "café"}]


class Attack:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        from pathlib import Path

        return Path.write_text, (self.target, "harm")


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_with_code_in_it_runs_none_of_it(tmp_path, protocol):
    harmed, file = tmp_path / "harmed", tmp_path / "refs.p"
    file.write_bytes(pickle.dumps([Attack(harmed)], protocol))
    with pytest.raises(DatasetInvalid, match="nothing of it was run"):
        read_pickled(file)
    assert not harmed.exists()


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
def test_a_pickle_cut_short_is_named(tmp_path, cut):
    file = as_pickle(tmp_path)["file"]
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(DatasetInvalid, match="umd"):
        read_pickled(file)


@pytest.mark.parametrize("content", [[{"split": "val"}], {"annotations": [{}], "images": []}, [5]])
def test_a_file_of_another_kind_is_named(tmp_path, content):
    file = tmp_path / "refs.json"
    file.write_text(json.dumps(content))
    with pytest.raises(DatasetInvalid, match=r"refs\.json"):
        read_references(file, tmp_path, instances=of_instances(tmp_path))
