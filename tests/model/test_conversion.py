from __future__ import annotations

import errno
import json
from pathlib import Path

import onnx
import pytest
import torch
from small_graphs import write_graphs
from small_published import SIZES, small_variants

from seem_model import bundle_parity, conversion
from seem_model.bundle_parity import Agreement, Parity
from seem_model.conversion import EIGHT_BITS, Wishes, convert
from seem_model.export_published import GRAPHS
from seem_model.precision import Precision
from seem_model.published import PublishedSeem
from seem_model.runs import IMAGE_ENCODER, PROMPT_DECODER, TorchRuns
from seem_model.variants import Wiring
from seem_model.vocabulary_file import Words
from seem_wire.errors import (
    CheckpointUnreadable,
    DiskFull,
    InvalidValue,
    OutputTaken,
    ParityTooLow,
)


class Heard:
    """A progress that remembers."""

    def __init__(self):
        self.stages, self.counts = [], []

    def stage(self, name):
        self.stages.append(name)

    def count(self, done, total):
        self.counts.append((done, total))


class FixedJudge:
    """Finds masks that survive fp16, and int8 in all graphs but `FRAGILE`."""

    FRAGILE = frozenset({IMAGE_ENCODER})

    def __init__(self, _model, _query_rows):
        pass

    def compare(self, folder, precision):
        eight = {name for name in GRAPHS if is_int8(folder / name)}
        iou = 0.5 if eight & self.FRAGILE else 0.97
        return Parity(precision, (256, 320), {}, (Agreement("click", iou, 1.0, 0.1, 20.0),))


def is_int8(file):
    return any(node.op_type == "MatMulInteger" for node in onnx.load(file).graph.node)


@pytest.fixture
def wishes(tmp_path, monkeypatch):
    """To convert a small model without a real exporter, whose graphs answer as the model does."""
    torch.manual_seed(0)
    model = PublishedSeem(small_variants(monkeypatch)["small_v0"]).eval()
    torch.save(model.state_dict(), tmp_path / "seem.pt")
    monkeypatch.setattr(conversion, "export_graphs", write_graphs)
    monkeypatch.setattr(bundle_parity, "GraphRuns", lambda _: TorchRuns(model))

    def make(**options):
        out = tmp_path / "models" / "mine"
        defaults = {"variant": "small_v0", "vocabulary": Words(("cat", "dog"))}
        return Wishes(tmp_path / "seem.pt", out, **(defaults | options))

    return make


def manifest(document):
    return json.loads((Path(document["bundle"]) / "bundle.json").read_text("utf-8"))


def left(wishes):
    parent = wishes.out.parent
    return sorted(path.name for path in parent.iterdir()) if parent.exists() else []


def test_a_checkpoint_becomes_a_bundle_that_says_how_it_was_made(wishes):
    document = convert(wishes(), Heard())
    said = manifest(document)
    assert (said["variant"], said["precision"]) == ("small_v0", "fp32")
    assert said["vocabulary"]["names"] == ["cat", "dog", "background"]
    provenance = said["provenance"]
    assert provenance["checkpoint"]["file"] == "seem.pt"
    assert len(provenance["checkpoint"]["sha256"]) == 64
    assert provenance["parity"]["passed"] is True
    assert provenance["parity"]["prompts"]["box"]["mask_iou"] == 1.0
    assert provenance["stored"] == dict.fromkeys(GRAPHS, "fp32")
    assert {name: (wishes().out / name).stat().st_size for name in said["files"]} == {
        name: size for name, size in document["files"].items() if name != "bundle.json"
    }


def test_time_memory_and_sizes_are_told(wishes):
    heard = Heard()
    document = convert(wishes(), heard)
    assert list(document["seconds"]) == heard.stages
    assert document["peak_memory_bytes"] > 1e7
    assert document["bytes"] == sum(document["files"].values())
    json.dumps(document, allow_nan=False)


def test_progress_is_told_stage_by_stage_and_text_by_text(wishes):
    heard = Heard()
    convert(wishes(), heard)
    assert heard.stages[0] == "reading the checkpoint"
    assert [f"exporting {name}" for name in GRAPHS] == heard.stages[1:6]
    assert heard.counts[-1] == (3 * 81, 3 * 81)


def test_the_image_is_resized_as_wished(wishes):
    said = manifest(convert(wishes(short_side=182, long_side=300), Heard()))
    assert said["image"]["resize"]["short_side"] == 182
    assert said["image"]["resize"]["long_side"] == 300
    assert [192, 256] in said["image"]["buckets"]


@pytest.mark.parametrize(("short", "long"), [(400, 300), (1200, None)])
def test_a_short_side_above_the_long_one_is_refused(wishes, short, long):
    wish = wishes(short_side=short, long_side=long)
    with pytest.raises(InvalidValue, match="is above the long side"):
        convert(wish, Heard())
    assert left(wish) == []


def test_a_bundle_may_have_no_vocabulary(wishes):
    said = manifest(convert(wishes(vocabulary=Words(())), Heard()))
    assert said["vocabulary"]["names"] == []
    assert said["everything"] is None


def test_coco_is_the_vocabulary_unless_another_is_given(wishes, monkeypatch):
    told = []
    monkeypatch.setattr(
        conversion, "write_texts", lambda _m, _f, options, **_: told.append(options)
    )
    convert(wishes(vocabulary=None), Heard())
    assert (len(told[0].names), told[0].n_things) == (133, 80)


def test_float16_halves_the_graphs(wishes):
    whole = convert(wishes(), Heard())["files"][PROMPT_DECODER]
    document = convert(wishes(precision=Precision.FP16, force=True), Heard())
    assert document["files"][PROMPT_DECODER] < 0.6 * whole
    assert manifest(document)["precision"] == "fp16"
    assert set(document["stored"].values()) == {"fp16"}


def test_int8_is_used_where_masks_survive_it(wishes, monkeypatch):
    monkeypatch.setattr(conversion, "Judge", FixedJudge)
    wish = wishes(precision=Precision.INT8)
    document = convert(wish, Heard())
    stored = {name for name in EIGHT_BITS if is_int8(wish.out / name)}
    assert stored == set(EIGHT_BITS) - {IMAGE_ENCODER}
    assert {name for name, how in document["stored"].items() if how == "int8"} == stored
    assert document["parity"]["prompts"]["click"]["mask_iou"] == 0.97


def test_int8_is_used_everywhere_if_its_masks_are_accepted(wishes, monkeypatch):
    monkeypatch.setattr(conversion, "Judge", FixedJudge)
    document = convert(wishes(precision=Precision.INT8, accept=True), Heard())
    assert set(document["stored"].values()) == {"int8"}
    assert document["parity"]["passed"] is False


@pytest.mark.parametrize("precision", Precision)
def test_masks_that_are_not_the_models_are_refused_unless_accepted(wishes, monkeypatch, precision):
    monkeypatch.setattr(conversion, "Judge", FixedJudge)
    monkeypatch.setattr(bundle_parity, "LEAST_IOU", dict.fromkeys(Precision, 0.98))
    wish = wishes(precision=precision)
    with pytest.raises(ParityTooLow, match=r"masks of 'click' have an IoU of 0\.9700"):
        convert(wish, Heard())
    assert left(wish) == []
    document = convert(wishes(precision=precision, accept=True), Heard())
    assert document["parity"]["passed"] is False
    assert left(wish) == ["mine"]


def test_a_bundle_that_is_there_is_refused_before_anything_is_read(wishes, tmp_path):
    convert(wishes(), Heard())
    heard = Heard()
    (tmp_path / "seem.pt").unlink()
    with pytest.raises(OutputTaken):
        convert(wishes(), heard)
    assert heard.stages == []


def test_nothing_is_left_of_a_checkpoint_that_is_none(wishes, tmp_path):
    (tmp_path / "seem.pt").write_bytes(b"PK and so on")
    wish = wishes()
    with pytest.raises(CheckpointUnreadable):
        convert(wish, Heard())
    assert left(wish) == []


@pytest.mark.parametrize("step", ["export_graphs", "lower", "write_texts", "write_manifest"])
def test_nothing_is_left_when_the_disk_is_full_at_any_step(wishes, monkeypatch, step):
    def fill(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(conversion, step, fill)
    wish = wishes()
    with pytest.raises(DiskFull):
        convert(wish, Heard())
    assert left(wish) == []


@pytest.mark.parametrize(
    "stage", ["exporting mask_head.onnx", "embedding the vocabulary", "hashing"]
)
def test_nothing_is_left_of_an_interrupted_conversion(wishes, stage):
    class Interrupting(Heard):
        def stage(self, name):
            if name == stage:
                raise KeyboardInterrupt

    wish = wishes()
    with pytest.raises(KeyboardInterrupt):
        convert(wish, Interrupting())
    assert left(wish) == []


def test_a_variant_without_memory_and_one_with_fixed_rows_convert_too(wishes):
    for wiring in (Wiring.V1, Wiring.DEMO):
        document = convert(wishes(variant=f"small_{wiring}", force=True), Heard())
        said = manifest(document)["decoder"]
        assert said["memory_tokens"] == (0 if wiring is Wiring.DEMO else SIZES.memory_tokens)
        assert len(said["query_rows"]) == (3 if wiring is Wiring.V1 else SIZES.object_queries)


def test_wished_rows_answer_and_rows_that_are_none_are_refused(wishes):
    said = manifest(convert(wishes(variant="small_v1", query_rows=(0, 4, 8)), Heard()))
    assert said["decoder"]["query_rows"] == [0, 4, 8]
    for rows in ((0, 0), (-2,), (SIZES.object_queries,)):
        with pytest.raises(InvalidValue, match="Query rows"):
            convert(wishes(query_rows=rows, force=True), Heard())
