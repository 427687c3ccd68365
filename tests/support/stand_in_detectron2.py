"""As much of detectron2's interface as evaluators of COCO have, for where it isn't installed.

The names, arguments and results are those of detectron2's documentation; what is measured is
counted here in another way than in seem_model, pixel set by pixel set. Where the real detectron2 is
installed, tests/model/evaluate/test_real_detectron2.py runs it.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
from PIL import Image
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

_ENTRIES: dict[str, SimpleNamespace] = {}
_RECORDS: dict[str, object] = {}


class _Entry(SimpleNamespace):
    def set(self, **fields):
        for name, value in fields.items():
            assert getattr(self, name, value) == value, f"{name} can't be changed"
            setattr(self, name, value)
        return self


class MetadataCatalog:
    @staticmethod
    def get(name):
        return _ENTRIES.setdefault(name, _Entry(name=name))


class DatasetCatalog:
    @staticmethod
    def register(name, make):
        assert name not in _RECORDS
        _RECORDS[name] = make

    @staticmethod
    def get(name):
        return _RECORDS[name]()


class Boxes:
    def __init__(self, tensor):
        assert tensor.shape[1:] == (4,)
        self.tensor = tensor


class Instances:
    def __init__(self, image_size, **fields):
        self.image_size = image_size
        self.__dict__.update(fields)


class COCOPanopticEvaluator:
    def __init__(self, dataset_name, output_dir=None):
        self._entry, self._folder = MetadataCatalog.get(dataset_name), Path(output_dir)

    def reset(self):
        self._found = {}

    def process(self, inputs, outputs):
        for given, output in zip(inputs, outputs, strict=True):
            ids, segments = output["panoptic_seg"]
            for one in segments:
                assert isinstance(one["isthing"], bool)
            labelled = {one["id"]: one["category_id"] for one in segments}
            name = Path(given["file_name"]).with_suffix(".png").name
            self._found[given["image_id"]] = (ids.cpu().numpy(), labelled, name)

    def evaluate(self):
        truth = json.loads(Path(self._entry.panoptic_json).read_text())
        to_label = (
            self._entry.stuff_dataset_id_to_contiguous_id
            | self._entry.thing_dataset_id_to_contiguous_id
        )
        tally = defaultdict(lambda: [0.0, 0, 0, 0])
        for entry in truth["annotations"]:
            colours = Image.open(Path(self._entry.panoptic_root) / entry["file_name"])
            red, green, blue = np.asarray(colours.convert("RGB")).astype(int).transpose(2, 0, 1)
            found = self._found[entry["image_id"]]
            self._count(red + 256 * green + 65536 * blue, entry, found, to_label, tally)
        things = set(self._entry.thing_dataset_id_to_contiguous_id.values())
        results = {}
        for kind, which in (("", set(tally)), ("_th", things), ("_st", set(tally) - things)):
            rows = [tally[label] for label in tally if label in which and any(tally[label][1:])]
            values = [
                (iou / (tp + fp / 2 + fn / 2), iou / tp if tp else 0.0, tp / (tp + fp / 2 + fn / 2))
                for iou, tp, fp, fn in rows
            ]
            1 / len(values)  # panopticapi divides by the number of categories
            for name, column in zip(("PQ", "SQ", "RQ"), np.mean(values, axis=0), strict=True):
                results[name + kind] = 100 * column
        return {"panoptic_seg": results}

    @staticmethod
    def _count(true_ids, entry, found, to_label, tally):
        ids, labelled, _ = found
        sets = {one: set(np.flatnonzero(ids == one)) for one in labelled}
        listed = {one["id"]: one for one in entry["segments_info"]}
        true = {one: set(np.flatnonzero(true_ids == one)) for one in listed}
        void = set(range(ids.size)) - set().union(*true.values())
        matched = set()
        for number, one in listed.items():
            label = to_label[one["category_id"]]
            if one["iscrowd"]:
                continue
            for guess, pixels in sets.items():
                iou = len(pixels & true[number]) / len((pixels | true[number]) - (pixels & void))
                if labelled[guess] == label and iou > 0.5:
                    tally[label][0] += iou
                    tally[label][1] += 1
                    matched |= {number, -guess}
            if number not in matched:
                tally[label][3] += 1
        for guess, pixels in sets.items():
            label, excused = labelled[guess], set(void)
            for number, one in listed.items():
                if one["iscrowd"] and to_label[one["category_id"]] == label:
                    excused |= true[number]
            if -guess not in matched and len(pixels & excused) <= len(pixels) / 2:
                tally[label][2] += 1


class COCOEvaluator:
    def __init__(
        self, dataset_name, tasks=None, distributed=True, output_dir=None, *, use_fast_impl=True
    ):
        assert tasks == ("segm",)
        assert not distributed
        assert not use_fast_impl
        assert output_dir is None
        self._entry = MetadataCatalog.get(dataset_name)

    def reset(self):
        self._found = []

    def process(self, inputs, outputs):
        ids = {v: k for k, v in self._entry.thing_dataset_id_to_contiguous_id.items()}
        assert sorted(ids) == list(range(len(ids)))
        for given, output in zip(inputs, outputs, strict=True):
            found = output["instances"]
            assert found.pred_boxes.tensor.shape == (len(found.scores), 4)
            masks = found.pred_masks.cpu().numpy()
            assert masks.shape[1:] == tuple(found.image_size)
            for score, label, mask in zip(
                found.scores.tolist(), found.pred_classes.tolist(), masks, strict=True
            ):
                runs = coco_masks.encode(np.asfortranarray(mask, np.uint8))
                self._found.append(
                    {"image_id": given["image_id"], "category_id": ids[label]}
                    | {"score": score, "segmentation": runs}
                )

    def evaluate(self, img_ids=None):
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(self._entry.json_file)
            scored = COCOeval(truth, truth.loadRes(self._found), "segm")
            scored.params.imgIds = img_ids
            scored.evaluate()
            scored.accumulate()
            scored.summarize()
        names = ("AP", "AP50", "AP75", "APs", "APm", "APl")
        values = [100 * value for value in scored.stats[:6].tolist()]
        return {"segm": dict(zip(names, values, strict=True)) | {"AP-person": 1.0}}


class SemSegEvaluator:
    def __init__(self, dataset_name, distributed=True, output_dir=None, *, sem_seg_loading_fn=None):
        assert not distributed
        assert output_dir is None
        self._entry = MetadataCatalog.get(dataset_name)
        self._load = sem_seg_loading_fn
        self._truths = {
            one["file_name"]: one["sem_seg_file_name"] for one in DatasetCatalog.get(dataset_name)
        }

    def reset(self):
        self._found = []

    def process(self, inputs, outputs):
        for given, output in zip(inputs, outputs, strict=True):
            scores = output["sem_seg"]
            assert len(scores) == len(self._entry.stuff_classes)
            true = self._load(self._truths[given["file_name"]], dtype=int)
            assert true.dtype == int
            self._found.append((true.ravel(), scores.argmax(dim=0).numpy().ravel()))

    def evaluate(self):
        true, found = (np.concatenate(arrays) for arrays in zip(*self._found, strict=True))
        counted = true != self._entry.ignore_label
        true, found = true[counted], found[counted]
        shares = [
            (
                ((true == label) & (found == label)).sum()
                / ((true == label) | (found == label)).sum(),
                (found[true == label] == label).mean(),
            )
            for label in np.unique(true)
        ]
        iou, accuracy = 100 * np.mean(shares, axis=0)
        return {"sem_seg": {"mIoU": iou, "mACC": accuracy, "pACC": 100 * (true == found).mean()}}


PARTS = {
    "data": (MetadataCatalog, DatasetCatalog),
    "structures": (Boxes, Instances),
    "evaluation": (COCOPanopticEvaluator, COCOEvaluator, SemSegEvaluator),
}


def install(monkeypatch):
    """Makes `import detectron2` find what is here."""
    package = ModuleType("detectron2")
    monkeypatch.setitem(sys.modules, "detectron2", package)
    for name, members in PARTS.items():
        module = ModuleType(f"detectron2.{name}")
        for member in members:
            setattr(module, member.__name__, member)
        setattr(package, name, module)
        monkeypatch.setitem(sys.modules, f"detectron2.{name}", module)
