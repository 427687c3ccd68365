from __future__ import annotations

import json
import socket
import subprocess
import sys
from types import ModuleType

import pytest

from seem_server.app import local_server
from seem_server.cli import main
from seem_server.commands import doctor
from seem_server.commands.checkup import remote
from seem_server.commands.checkup.finding import Finding, State
from seem_server.commands.doctor import Checkup
from seem_server.settings import Settings

WELL = Finding("cores", State.OK, "2")
ILL = Finding("store", State.FAULT, "cannot be written", "Name another.")
LACKING = Finding("extra web", State.MISSING, "aiohttp", "pip install it.", needed=False)
OF_SERVING = ("PIL", "scipy", "onnxruntime", "threadpoolctl", "tqdm", "tokenizers", "ftfy", "shtab")


@pytest.fixture(autouse=True)
def few_bundles(monkeypatch, tmp_path):
    """Only the fake one, which takes no time, and a store of its own."""
    monkeypatch.setattr(doctor, "shipped_bundles", dict)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def examined(capsys, *words):
    code = main(["doctor", "--json", "--bundle", "fake", "--port", "0", *words])
    told = json.loads(capsys.readouterr().out)
    return code, told, {one["subject"]: one for one in told["findings"]}


def test_where_all_is_well_it_ends_with_0(capsys):
    code, told, found = examined(capsys)
    assert (code, told["works"], told["server"]) == (0, True, None)
    expected = {"settings", "bundle fake", "GPU", "images", "cores", "memory", "store", "port"}
    assert expected <= set(found)
    assert all(one["mend"] for one in told["findings"] if one["state"] != "ok")


@pytest.mark.parametrize(
    ("words", "subject"),
    [
        (["--host", "0.0.0.0"], "settings"),  # noqa: S104
        (["--bundle", "no-such"], "bundle no-such"),
        (["--provider", "cuda", "--bundle", "tiny"], "bundle tiny"),
        (["--store", "sqlite:/proc/sessions.sqlite"], "store"),
        (["--store", "valkey://127.0.0.1:1/0"], "store"),
        (["--host", "unix:/no/such/folder/seem.sock"], "port"),
    ],
)
def test_what_serve_would_refuse_ends_with_1_and_says_how_to_mend_it(capsys, words, subject):
    code, told, found = examined(capsys, *words)
    assert (code, told["works"]) == (1, False)
    assert found[subject]["state"] == "fault"
    assert found[subject]["mend"]


def test_a_port_that_a_stranger_has_ends_with_1(capsys, monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as one:
        code, _, found = examined(capsys, "--port", str(one.getsockname()[1]))
    assert (code, found["port"]["state"]) == (1, "fault")


def test_files_of_tls_and_callers_are_read(capsys, monkeypatch, tmp_path):
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("no sense\n")
    monkeypatch.setenv("SEEM_TOKENS_FILE", str(tokens))
    code, _, found = examined(capsys)
    assert (code, found["settings"]["state"]) == (1, "fault")
    tokens.write_text("")
    assert examined(capsys)[0] == 0


def test_a_wrong_variable_is_a_finding_and_a_wrong_option_is_misuse(capsys, monkeypatch):
    assert main(["doctor", "--provider", "tpu"]) == 2
    capsys.readouterr()
    monkeypatch.setenv("SEEM_THREADS", "many")
    code, _, found = examined(capsys)
    assert (code, found["settings"]["state"]) == (1, "fault")
    assert "SEEM_THREADS" in found["settings"]["told"]


def test_of_a_server_that_is_named_the_end_is_about_that_one(capsys):
    with local_server(Settings(bundle="fake")) as address:
        code, told, _ = examined(capsys, "--server", address, "--bundle", "no-such")
    assert (code, told["works"]) == (0, True)
    assert {one["subject"] for one in told["server"]} >= {"server", "health", "latency"}
    code, told, found = examined(capsys, "--server", "127.0.0.1:1")
    assert (code, told["works"]) == (1, False)
    assert found["bundle fake"]["state"] == "ok"


def test_the_table_has_a_row_for_each_and_how_to_mend_what_is_not_well():
    text = doctor.as_text(Checkup("1.0", (WELL, ILL, LACKING)))
    assert "fault    store              cannot be written\n" in text
    assert f"{'':28}mend: Name another.\n" in text
    assert text.endswith("Serving would not work (1 ok, 1 missing, 1 fault).")


def test_what_is_not_needed_stops_nothing_and_a_servers_fault_counts_where_one_is_named():
    assert Checkup("1.0", (WELL, LACKING)).works
    assert not Checkup("1.0", (WELL, ILL)).works
    assert Checkup("1.0", (ILL,), (WELL,)).works
    assert doctor.as_text(Checkup("1.0", (WELL,), (ILL,))).count("cannot be used") == 1


def run_without(modules, *words):
    """`seem …` in an interpreter that has none of some modules; what it loaded goes to stderr."""
    program = (
        f"import sys\nfor name in {modules!r}: sys.modules[name] = None\n"
        f"from seem_server.cli import main\ncode = main({list(words)!r})\n"
        "print(*(name for name, one in sys.modules.items() if one), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def test_where_nothing_for_serving_is_installed_it_still_tells_all():
    done = run_without(OF_SERVING, "doctor", "--json", "--port", "0")
    told = json.loads(done.stdout)
    found = {one["subject"]: one for one in told["findings"]}
    assert (done.returncode, told["works"]) == (1, False)
    assert found["bundle lite"]["state"] == "missing"
    assert "seem-server[serve]" in found["bundle lite"]["mend"]


def test_what_pip_leaves_of_two_runtimes_in_one_folder_is_a_fault(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))  # no name within
    code, _, found = examined(capsys)
    assert (code, found["ONNX Runtime"]["state"]) == (1, "fault")
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in found["ONNX Runtime"]["mend"]


def test_it_loads_no_training_code():
    done = run_without((), "doctor", "--json", "--port", "0", "--bundle", "fake")
    assert done.returncode == 0
    assert not {"torch", "seem_model"} & set(done.stderr.split())
