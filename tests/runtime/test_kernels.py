from __future__ import annotations

import json

import pytest

from seem_server.runtime.kernels import operations, read_record


def event(name, op, taken, given, *, at, dur=5, weights=0):
    args = {"op_name": op, "input_type_shape": taken, "output_type_shape": given}
    args["parameter_size"] = str(weights)
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": at, "dur": dur, "args": args}


def run_at(ts):
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": 1}


def record(tmp_path, *events):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(list(events)))
    return path


@pytest.mark.parametrize(
    ("op", "taken", "given", "expected"),
    [
        ("Conv", [(1, 8, 5, 5), (4, 8, 3, 3), (4,)], [(1, 4, 5, 5)], 2 * 100 * 72),
        ("Conv", [(1, 8, 5, 5), (8, 1, 3, 3)], [(1, 8, 5, 5)], 2 * 200 * 9),  # depthwise
        ("MatMul", [(7, 3), (3, 5)], [(7, 5)], 2 * 35 * 3),
        ("FusedMatMul", [(2, 3, 7), (2, 3, 5)], [(2, 7, 5)], 2 * 70 * 3),  # the first transposed
        ("MatMul", [(2, 7, 3), (3, 5)], [(2, 7, 5)], 2 * 70 * 3),  # the second for all
        ("Einsum", [(7, 4, 32), (4, 32, 128)], [(7, 4, 128)], 2 * 7 * 4 * 128 * 32),
        ("Add", [(7, 3), (7, 3)], [(7, 3)], 0),
        ("Conv", [(1, 8, 5, 5)], [], 0),
    ],
)
def test_operations_are_those_of_products_and_convolutions(op, taken, given, expected):
    assert operations(op, taken, given) == expected


def test_a_kernel_has_its_bytes_and_its_shortest_time(tmp_path):
    shapes = [{"float": [4]}, {"int64": [2]}], [{"bool": [8]}]
    events = [event("a", "Where", *shapes, at=ts, dur=dur) for ts, dur in ((1, 9), (11, 7))]
    path = record(tmp_path, run_at(0), run_at(10), *events)
    (kernel,) = read_record(path, runs=2)
    assert (kernel.nbytes, kernel.ms, kernel.op) == (16 + 16 + 8, 0.007, "Where")


def test_runs_before_those_asked_for_do_not_count(tmp_path):
    shapes = [{"float": [4]}], [{"float": [4]}]
    warm = event("a", "Relu", *shapes, at=1, dur=1)
    path = record(tmp_path, run_at(0), warm, run_at(10), event("a", "Relu", *shapes, at=11, dur=8))
    (kernel,) = read_record(path, runs=1)
    assert kernel.ms == 0.008


def test_a_view_moves_nothing(tmp_path):
    one = event("a", "Reshape", [{"float": [4]}, {"int64": [2]}], [{"float": [2, 2]}], at=1)
    (kernel,) = read_record(record(tmp_path, run_at(0), one), runs=1)
    assert kernel.nbytes == 0


def test_a_record_with_too_few_runs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="1 runs, not 2"):
        read_record(record(tmp_path, run_at(0)), runs=2)
