"""From a checkpoint on disk to every protocol's document, by a model a thousandth of the size."""

from __future__ import annotations

import json
from functools import partial

import pytest
from made_coco import as_coco, numbers, write_images, write_instances, write_panoptic, write_voc
from small_checkpoints import write_checkpoint

from seem_model.evaluate import vocabulary_cache
from seem_model.evaluate.command import main
from seem_model.variants import Wiring
from seem_model.vocabularies import embed_names


@pytest.fixture(autouse=True)
def one_template(monkeypatch):
    fewer = partial(embed_names, templates=("{}.",))
    monkeypatch.setattr(vocabulary_cache, "embed_names", fewer)


@pytest.fixture(params=[Wiring.V0, Wiring.V1])
def checkpoint(tmp_path, monkeypatch, request):
    return write_checkpoint(tmp_path, monkeypatch, request.param)


def document(capsys, protocol, checkpoint, *arguments):
    given = ["--checkpoint", checkpoint, "--variant", checkpoint.stem, "--json", *arguments]
    assert main([protocol, *map(str, given)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["protocol"], found["variant"]) == (protocol, checkpoint.stem)
    return found["results"]


def test_panoptic_and_semantic(tmp_path, capsys, checkpoint):
    files = write_panoptic(tmp_path)
    where = ["--images", files.images, "--annotations", files.annotations, "--maps", files.maps]
    where += ["--vocabulary", tmp_path / "names.npz", "--evaluator", "builtin"]
    results = document(capsys, "panoptic", checkpoint, *where, "--threshold", "0.001")
    assert results["pictures"] == 2
    assert 0 <= results["PQ"] <= 100
    assert (tmp_path / "names.npz").is_file()
    assert 0 <= document(capsys, "semantic", checkpoint, *where)["mIoU"] <= 100


def test_instances(tmp_path, capsys, checkpoint):
    files = write_instances(tmp_path)
    where = ["--images", files.images, "--annotations", files.annotations, "--limit", "1"]
    results = document(capsys, "instance", checkpoint, *where, "--evaluator", "builtin")
    assert results["pictures"] == 1
    assert 0 <= results["AP"] <= 100


def test_references(tmp_path, capsys, checkpoint):
    said = [{"raw": "The Left One"}]
    mask = as_coco(numbers()[0] == 1)
    annotation = {"id": 1, "image_id": 1, "segmentation": mask, "sentences": said}
    images = write_images(tmp_path / "images", numbers())
    (tmp_path / "refs.json").write_text(json.dumps({"images": images, "annotations": [annotation]}))
    where = ["--images", tmp_path / "images", "--references", tmp_path / "refs.json"]
    results = document(capsys, "refcoco", checkpoint, *where)
    assert results["references"] == 1
    assert results["cIoU"] == pytest.approx(results["mIoU"])


def test_clicks(tmp_path, capsys, checkpoint):
    folder = write_voc(tmp_path / "VOC2012")
    results = document(capsys, "clicks", checkpoint, folder, "--max-clicks", 2)
    assert results["objects"] == 6
    assert 1 <= results["NoC85"] <= results["NoC90"] <= 2


def test_a_device_that_is_not_there_is_an_error_and_not_a_crash(tmp_path, capsys, checkpoint):
    given = ["clicks", tmp_path, "--checkpoint", checkpoint, "--variant", checkpoint.stem]
    assert main([*map(str, given), "--device", "abacus"]) == 1
    assert "abacus" in capsys.readouterr().err


def test_a_checkpoint_that_is_not_there_is_an_error_and_not_a_crash(tmp_path, capsys):
    assert main(["clicks", str(tmp_path), "--checkpoint", str(tmp_path / "absent.pt")]) == 1
    assert "absent.pt" in capsys.readouterr().err
