"""detectron2's own evaluators behind our scorers' interface, where the real one is installed.

It is on no package index (docs/published.md says how to install it), so nothing here is imported
before it is asked for. Each evaluator gets a catalogue entry of its own that describes the files at
hand; labels are places in the vocabulary, as in detectron2's catalogue of COCO.
"""

from __future__ import annotations

import importlib
import json
import math
import uuid
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seem_model.evaluate.coco import IGNORED
from seem_model.evaluate.datasets import DatasetInvalid
from seem_wire import rle
from seem_wire.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from seem_model.evaluate.coco import Dataset, PanopticPicture, Picture
    from seem_wire.segments import Instance, Panoptic

    Int32 = npt.NDArray[np.int32]

PACKAGE, PANOPTIC_PACKAGE = "detectron2", "panopticapi"


class Detectron2Missing(CallerError):
    """detectron2's evaluator was asked for, and it can't be imported."""

    code = "DETECTRON2_MISSING"
    hint = "Install it as docs/published.md says, or ask for --evaluator builtin."


def is_installed(*, panoptic: bool) -> bool:
    """Whether the evaluators can be had; the panoptic one needs panopticapi as well."""
    return find_spec(PACKAGE) is not None and not (panoptic and find_spec(PANOPTIC_PACKAGE) is None)


class Detectron2Panoptic:
    """`COCOPanopticEvaluator`. It needs a file of exactly the pictures that were added."""

    def __init__(self, dataset: Dataset[PanopticPicture], maps: Path) -> None:
        evaluation = _part("evaluation")
        self._annotations = dataset.annotations
        self._added: set[int] = set()
        self._folder = TemporaryDirectory()
        self._file = Path(self._folder.name) / "truth.json"
        ids = {True: dict[int, int](), False: dict[int, int]()}
        for one in dataset.categories:
            ids[one.is_thing][one.dataset_id] = one.label
        name = _register(
            panoptic_json=str(self._file),
            panoptic_root=str(maps),
            thing_dataset_id_to_contiguous_id=ids[True],
            stuff_dataset_id_to_contiguous_id=ids[False],
        )
        self._evaluator = evaluation.COCOPanopticEvaluator(name, self._folder.name)
        self._evaluator.reset()

    def add(self, picture: PanopticPicture, predicted: Panoptic) -> None:
        """One picture's prediction."""
        segments = [
            {"id": one.id, "isthing": one.is_thing, "category_id": one.label, "area": one.area}
            for one in predicted.segments
        ]
        self._added.add(picture.id)
        self._evaluator.process(
            [{"file_name": str(picture.path), "image_id": picture.id}],
            [{"panoptic_seg": (torch.from_numpy(predicted.ids), segments)}],
        )

    def results(self) -> dict[str, float]:
        """PQ, SQ, RQ in percent, of all, of things, of stuff.

        Raises:
            DatasetInvalid: Of things or of stuff, none was seen.
        """
        document = json.loads(self._annotations.read_text("utf-8"))
        for entries, key in (("images", "id"), ("annotations", "image_id")):
            document[entries] = [one for one in document[entries] if one[key] in self._added]
        with self._folder:  # which goes with its files
            self._file.write_text(json.dumps(document), "utf-8")
            try:
                return _numbers(self._evaluator.evaluate()["panoptic_seg"])
            except ZeroDivisionError as error:
                raise DatasetInvalid(
                    "detectron2 can't score pictures that are all without things or without stuff."
                ) from error


class Detectron2Instances:
    """`COCOEvaluator` for masks; it draws in pycocotools, as ours does."""

    def __init__(self, dataset: Dataset[Picture], names: Sequence[str]) -> None:
        evaluation = _part("evaluation")
        name = _register(
            json_file=str(dataset.annotations),
            thing_classes=[names[one.label] for one in dataset.categories],
            thing_dataset_id_to_contiguous_id={
                one.dataset_id: one.label for one in dataset.categories
            },
        )
        self._added: list[int] = []
        self._evaluator = evaluation.COCOEvaluator(
            name, tasks=("segm",), distributed=False, use_fast_impl=False
        )
        self._evaluator.reset()

    def add(self, picture: Picture, predicted: Sequence[Instance]) -> None:
        """One picture's instances. The published models give no boxes: all are empty."""
        structures = _part("structures")
        if not predicted:
            self._added.append(picture.id)
            return
        instances = structures.Instances(predicted[0].mask.size)
        instances.pred_boxes = structures.Boxes(torch.zeros(len(predicted), 4))
        scores = [one.score for one in predicted]
        instances.scores = torch.tensor(scores, dtype=torch.float64)  # rounded, some would be equal
        instances.pred_classes = torch.tensor([one.label for one in predicted])
        masks = np.stack([rle.decode(one.mask) for one in predicted])
        instances.pred_masks = torch.from_numpy(masks)
        self._added.append(picture.id)
        self._evaluator.process([{"image_id": picture.id}], [{"instances": instances}])

    def results(self) -> dict[str, float]:
        """AP and its kin in percent, of the pictures that were added; also of each name.

        NaN where there is nothing to find; detectron2 itself says -100.
        """
        measured = _numbers(self._evaluator.evaluate(img_ids=sorted(self._added))["segm"])
        return {name: value if value >= 0 else math.nan for name, value in measured.items()}


class Detectron2Semantic:
    """`SemSegEvaluator`, given the truth that the panoptic PNGs hold."""

    def __init__(self, dataset: Dataset[PanopticPicture], names: Sequence[str]) -> None:
        evaluation = _part("evaluation")
        truths = {str(one.map_path): one for one in dataset.pictures}
        records = [
            {"file_name": str(one.path), "sem_seg_file_name": str(one.map_path)}
            for one in dataset.pictures
        ]

        def load(file: str, *, dtype: type = int, copy: bool = True) -> npt.NDArray[Any]:
            return truths[file].read_labels().astype(dtype, copy=copy)

        name = _register(stuff_classes=list(names), ignore_label=IGNORED)
        _part("data").DatasetCatalog.register(name, lambda: records)
        self._n_labels = len(names)
        self._evaluator = evaluation.SemSegEvaluator(
            name, distributed=False, sem_seg_loading_fn=load
        )
        self._evaluator.reset()

    def add(self, picture: PanopticPicture, predicted: Int32) -> None:
        """One picture's labels (H, W)."""
        of_label = torch.from_numpy(predicted) == torch.arange(self._n_labels)[:, None, None]
        self._evaluator.process(
            [{"file_name": str(picture.path)}], [{"sem_seg": of_label.to(torch.uint8)}]
        )

    def results(self) -> dict[str, float]:
        """The mean IoU and its kin in percent; also of each name."""
        return _numbers(self._evaluator.evaluate()["sem_seg"])


def _part(name: str) -> Any:
    """A module of detectron2.

    Raises:
        Detectron2Missing: There is none.
    """
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    except ImportError as error:
        raise Detectron2Missing(f"detectron2 can't be imported: {error}.") from error


def _register(**fields: object) -> str:
    """A new entry of detectron2's catalogue; entries can't be changed, so each has its own name."""
    name = f"seem_{uuid.uuid4().hex}"
    _part("data").MetadataCatalog.get(name).set(**fields)
    return name


def _numbers(measured: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in measured.items()}
