"""The published variants against the reference program's recorded outputs.

A few cheap cases of Focal-T always; with `-m slow` everything: minutes, and 8 GB of memory.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="seem_model needs the `model` extra")

SHARED = Path(__file__).parents[3] / "shared"
GOLDEN, KEYS = SHARED / "golden", SHARED / "keys"
pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason=f"the reference outputs are not at {GOLDEN}"
)
CHEAP = [
    *("preprocess", "encoder", "point", "round2_memory", "multi3", "grounding_spatial"),
    *("refimg", "postproc"),
]


@pytest.fixture(scope="module")
def setting():
    from seem_model.evaluate.parity.setting import Setting
    from seem_model.evaluate.parity.subject import TorchSubject
    from seem_model.evaluate.parity.tolerances import DOUBLE
    from seem_model.variants import VARIANTS

    torch.set_num_threads(1)
    return Setting(TorchSubject(VARIANTS["focalt_v1"], torch.float64), GOLDEN, DOUBLE)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CHEAP)
def test_focal_tiny_gives_what_was_recorded(setting, case):
    from seem_model.evaluate.parity.plan import check_file

    (path,) = GOLDEN.glob(f"focalt_[vs][1h]*/{case}.npz")
    rows = check_file(path, setting)
    assert [(row.array, row.error, row.limit, row.note) for row in rows if not row.ok] == []
    assert len(rows) > 5


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_array_of_every_variant_is_within_its_tolerance(capsys):
    from seem_model.evaluate.parity import main

    code = main([str(GOLDEN), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert [row for file in document["files"] for row in file["rows"] if not row["ok"]] == []
    assert code == document["failed"] == 0
    assert document["arrays"] == sum(map(count_arrays, GOLDEN.rglob("*.npz")))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "variant",
    ["focalt_v0", "focalt_v1", "focalt_demo", "focall_v1", "davitd3_v1", "samvitb_v1"],
)
def test_every_array_that_exported_graphs_show_is_within_its_tolerance(variant, capsys):
    from seem_model.evaluate.parity import main

    code = main([str(GOLDEN), "--json", "--onnx", "--variant", variant])
    document = json.loads(capsys.readouterr().out)
    assert [row for file in document["files"] for row in file["rows"] if not row["ok"]] == []
    assert code == 0
    assert document["lowest_iou"] is None or document["lowest_iou"] >= 0.99


def test_every_recorded_file_belongs_to_a_variant():
    from seem_model.evaluate.parity.plan import plan, recorded_variants, unknown_files

    planned = {file for _, files in plan(GOLDEN, recorded_variants(GOLDEN)) for file in files}
    assert planned == set(GOLDEN.rglob("*.npz"))
    assert unknown_files(GOLDEN) == []


@pytest.mark.parametrize(
    "variant",
    [
        "focalt_v1",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("davitd3_v1", "davitd5_v1", "focall_v1", "samvitb_v1", "samvitl_v1")
        ),
    ],
)
def test_weights_made_by_rule_are_those_of_the_recordings(variant):
    from seem_model.rule_weights import checksum

    readme = (GOLDEN / "README.md").read_text("utf-8")
    published = dict(re.findall(r"^\* (\w+): `([0-9a-f]{8})`$", readme, re.MULTILINE))
    keys = json.loads((KEYS / f"{variant}.json").read_text("utf-8"))["keys"]
    assert checksum((name, tuple(shape)) for name, shape, _ in keys) == published[variant]


def count_arrays(path):
    """Of a file; the parts of a thinned array are one."""
    return len({name.partition("__")[0] for name in np.load(path).files})
