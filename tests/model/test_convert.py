from __future__ import annotations

import json
import os
import signal
import sys
from io import StringIO

import pytest
import torch
from small_graphs import write_graphs
from small_published import small_variants

from seem_model import bundle_parity, conversion, convert
from seem_model.convert import DONE, FAILED, MISUSED, main, summary
from seem_model.published import PublishedSeem
from seem_model.runs import TorchRuns
from seem_server.runtime.bundle import read_bundle


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A checkpoint that the loader knows as small_v0, small_v1 or small_demo."""
    torch.manual_seed(0)
    model = PublishedSeem(small_variants(monkeypatch)["small_v0"]).eval()
    torch.save(model.state_dict(), tmp_path / "seem.pt")
    return model


@pytest.fixture
def quick(saved, monkeypatch):
    """No real exporter: the graphs are stand-ins that answer as the model does."""
    monkeypatch.setattr(conversion, "export_graphs", write_graphs)
    monkeypatch.setattr(bundle_parity, "GraphRuns", lambda _: TorchRuns(saved))


@pytest.fixture
def run(tmp_path, capsys):
    """Runs the command on the checkpoint; gives its exit code and output."""

    def run(*options):
        command = [str(tmp_path / "seem.pt"), "--out", str(tmp_path / "mine"), *options]
        code = main(command)
        return code, capsys.readouterr()

    return run


NAMED = ("--variant", "small_v0", "--vocabulary", "none")


@pytest.mark.usefixtures("quick")
def test_people_are_told_what_was_made(run, tmp_path):
    code, said = run(*NAMED)
    assert code == DONE
    assert f"bundle      {tmp_path / 'mine'}" in said.out
    assert "variant     small_v0, fp32" in said.out
    assert "second click    mask IoU 1.00000" in said.out
    assert "reading the checkpoint" in said.err
    assert "Traceback" not in said.err


@pytest.mark.usefixtures("quick")
def test_one_document_is_printed_for_machines(run, monkeypatch):
    def chatty(*arguments, **options):
        print("exporters talk")  # noqa: T201
        write_graphs(*arguments, **options)

    monkeypatch.setattr(conversion, "export_graphs", chatty)
    code, said = run(*NAMED, "--json")
    document = json.loads(said.out)
    assert code == DONE
    assert document["variant"] == "small_v0"
    assert document["parity"]["passed"] is True
    assert "exporters talk" in said.err


@pytest.mark.usefixtures("quick")
def test_a_vocabulary_of_ones_own_is_embedded(run, tmp_path):
    (tmp_path / "names.txt").write_text("cat\n\n  red car \n", encoding="utf-8")
    code, said = run("--variant", "small_v1", "--vocabulary", str(tmp_path / "names.txt"))
    assert code == DONE
    assert "names       2" in said.out
    manifest = json.loads((tmp_path / "mine" / "bundle.json").read_text("utf-8"))
    assert manifest["vocabulary"]["names"] == ["cat", "red car", "background"]


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize(
    "options",
    [
        ("--vocabulary", "nowhere.txt"),
        ("--variant", "focalt_v2"),
        ("--precision", "fp8"),
        ("--short-side", "tiny"),
        ("--short-side", "5000"),
        ("--query-rows", "a"),
        ("--query-rows=",),
        ("--query-rows=-1", "--variant", "small_v0"),
        ("--query-rows", "1,1", "--variant", "small_v0"),
        ("--query-rows", "999", "--variant", "small_v0"),
        ("--short-side", "800", "--long-side", "700", "--variant", "small_v0"),
        (),  # the file fits three variants
    ],
)
def test_bad_arguments_are_wrong_use(run, tmp_path, options):
    code, said = run(*options)
    assert (code, said.out) == (MISUSED, "")
    assert "seem convert: " in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "mine").exists()


@pytest.mark.usefixtures("saved")
def test_a_file_that_fits_several_variants_asks_which(run):
    _, said = run()
    assert "may be small_v0, small_v1 or small_demo" in said.err
    assert "--variant" in said.err


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no checkpoint"])
def test_a_bad_file_fails_and_leaves_nothing(run, tmp_path, content):
    (tmp_path / "seem.pt").write_bytes(content)
    code, said = run(*NAMED)
    assert (code, said.out) == (FAILED, "")
    assert f"seem convert: {tmp_path / 'seem.pt'}" in said.err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["seem.pt"]


@pytest.mark.usefixtures("quick")
def test_a_bundle_is_replaced_only_by_force(run):
    assert run(*NAMED)[0] == DONE
    code, said = run(*NAMED)
    assert code == FAILED
    assert "holds a bundle already" in said.err
    assert run(*NAMED, "--force")[0] == DONE


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_conversion_leaves_nothing(run, tmp_path, monkeypatch, number):
    def stopped(model, folder, **_):
        write_graphs(model, folder)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    monkeypatch.setattr(conversion, "export_graphs", stopped)
    code, said = run(*NAMED)
    assert (code, said.out) == (FAILED, "")
    assert "stopped; nothing was written." in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["seem.pt"]
    assert signal.getsignal(number) == before


@pytest.mark.usefixtures("quick")
def test_what_breaks_unforeseen_is_told_with_its_kind(run, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(conversion, "export_graphs", broken)
    code, said = run(*NAMED)
    assert (code, said.out) == (FAILED, "")
    assert "seem convert: ZeroDivisionError: oh" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["seem.pt"]


def test_a_kept_bundle_below_the_bar_is_told_as_such():
    parity = {"input": [256, 320], "least_iou": 0.9, "passed": False, "prompts": {}}
    document = {
        **dict.fromkeys(("bundle", "variant", "short_side", "long_side", "names"), "x"),
        "bytes": 1,
        "seconds": {"a": 1.0},
        "peak_memory_bytes": 1,
        "parity": parity,
        "precision": "int8",
        "stored": {"image_encoder.onnx": "int8"},
    }
    text = "\n".join(summary(document))
    assert "below that, and kept because of --accept" in text
    assert "image_encoder int8" in text


def test_the_bar_of_a_stage_is_taken_away(capsys):
    progress = convert.ShownProgress()
    progress.stage("embedding")
    progress.count(3, 10)
    progress.count(10, 10)
    progress.close()
    progress.close()
    assert "embedding" in capsys.readouterr().err


@pytest.mark.parametrize("bars", [True, False])
def test_bars_are_for_a_terminal_and_not_beside_json(bars, monkeypatch):
    screen = StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", screen)
    progress = convert.ShownProgress(bars=bars)
    progress.count(3, 10)
    progress.close()
    assert ("/10" in screen.getvalue()) is bars


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("saved")
def test_the_real_exporter_makes_a_bundle_that_the_server_reads(run, tmp_path):
    code, said = run("--variant", "small_v0", "--precision", "int8", "--json")
    assert code == DONE
    bundle = read_bundle(tmp_path / "mine")
    assert bundle.manifest.variant == "small_v0"
    assert len(bundle.manifest.vocabulary.names) == 134
    assert "int8" in json.loads(said.out)["stored"].values()
