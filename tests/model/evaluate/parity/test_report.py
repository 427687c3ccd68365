import json

import pytest

from seem_model.evaluate.parity.report import document, summary, table
from seem_model.evaluate.parity.sheet import Row, Use

ROWS = [
    Row("focalt_v1/none", "pred_logits", Use.COMPARED, error=2e-5, limit=1e-4),
    Row("focalt_v1/point", "query_idx", Use.GIVEN),
    Row("focalt_v1/point", "final_mask_bits", Use.COMPARED, error=1, limit=2, iou=0.9998),
    Row("davitd3_v1/point", "pred_masks", Use.COMPARED, ok=False, error=3.0, limit=1.0),
    Row("davitd3_v1/point", "extra", Use.FORGOTTEN, ok=False, note="nothing was done with it"),
]


def test_the_table_has_a_line_for_each_array():
    lines = table(ROWS).splitlines()
    for row in ROWS:
        (line,) = [line for line in lines if line.strip().startswith(f"{row.array} ")]
        assert ("FAILED" in line) is not row.ok
    assert "IoU 0.99980" in table(ROWS)


def test_the_summary_counts_and_names_the_worst():
    text = summary(ROWS)
    assert "arrays: 5 (3 compared, 1 given, 1 forgotten); failed: 2" in text
    assert "focalt_v1/point final_mask_bits" in text


def test_the_document_is_valid_json_with_the_promised_keys():
    read = json.loads(json.dumps(document(ROWS), allow_nan=False))
    assert (read["arrays"], read["failed"]) == (5, 2)
    assert read["lowest_iou"] == 0.9998
    assert [(one["file"], one["failed"]) for one in read["files"]] == [
        ("focalt_v1/none", 0),
        ("focalt_v1/point", 0),
        ("davitd3_v1/point", 2),
    ]


def test_what_nobody_looked_at_is_the_worst():
    assert document(ROWS)["worst"]["array"] == "extra"
    assert document(ROWS[:4])["worst"] == {
        "file": "davitd3_v1/point",
        "array": "pred_masks",
        "use": "compared",
        "ok": False,
        "error": 3.0,
        "tolerance": 1.0,
    }


def test_an_infinite_error_is_no_number():
    row = Row("f/f", "a", Use.COMPARED, ok=False, error=float("inf"), note="shape (1,), not (2,)")
    assert document([row])["worst"]["error"] is None


@pytest.mark.parametrize("text", [summary([]), table([])])
def test_nothing_is_told_of_nothing(text):
    assert "arrays: 0" in text
