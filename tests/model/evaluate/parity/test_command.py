import json

import numpy as np
import pytest
import torch
from made_goldens import Recorder, recordable, rewrite

from seem_model.evaluate.parity import command
from seem_model.variants import Wiring

SMALL = {"small_v1": recordable(Wiring.V1)}


@pytest.fixture
def golden(tmp_path, monkeypatch):
    """A folder of one small variant, which the command takes for a published one."""
    for module in ("command", "plan"):
        monkeypatch.setattr(f"seem_model.evaluate.parity.{module}.VARIANTS", SMALL)
    threads = torch.get_num_threads()
    recorder = Recorder(tmp_path / "golden", Wiring.V1)
    recorder.shared()
    recorder.clicks("point")
    yield tmp_path / "golden"
    torch.set_num_threads(threads)


def run(golden, *options):
    return command.main([str(golden), "--threads", "1", *options])


def test_outputs_as_recorded_end_well(golden, capsys):
    assert run(golden) == 0
    shown = capsys.readouterr()
    assert "small_v1/point" in shown.out
    assert "failed: 0" in shown.out
    assert "making weights" in shown.err


def test_the_document_alone_is_on_standard_output(golden, capsys):
    assert run(golden, "--json", "--variant", "small_v1") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["failed"] == 0
    assert document["arrays"] == sum(one["arrays"] for one in document["files"]) > 20


def test_a_wrong_array_ends_with_1_and_is_named(golden, capsys):
    path = golden / "small_v1" / "point.npz"
    rewrite(path, golden, prev_mask_out=np.load(path)["prev_mask_out"] + 0.01)
    assert run(golden, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["worst"]["array"] == "prev_mask_out"
    assert document["failed"] == 1


def test_single_precision_has_a_tolerance_of_its_own(golden, capsys):
    assert run(golden, "--json", "--float32") == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    limits = {row["array"]: row.get("tolerance") for row in file["rows"]}
    assert limits["prev_mask_out"] == 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "x*"], "no file"),
        (["--variant", "small_v1"], "holds no recorded outputs"),
    ],
)
def test_nothing_to_compare_is_misuse(golden, tmp_path, capsys, options, message):
    folder = golden if "--only" in options else tmp_path / "nowhere"
    assert run(folder, *options) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""


def test_a_variant_without_recordings_is_misuse(golden, capsys):
    SMALL["other_v1"] = recordable(Wiring.V1)
    try:
        assert run(golden, "--variant", "other_v1") == 2
    finally:
        del SMALL["other_v1"]
    assert "there are small_v1" in capsys.readouterr().err


def test_no_such_variant_is_misuse(golden):
    with pytest.raises(SystemExit) as end:
        run(golden, "--variant", "resnet")
    assert end.value.code == 2
