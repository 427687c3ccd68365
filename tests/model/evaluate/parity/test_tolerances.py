from dataclasses import fields

from seem_model.evaluate.parity.tolerances import DOUBLE, SINGLE, Tolerance


def test_double_precision_is_the_stricter_gate():
    for field in fields(DOUBLE):
        double, single = (getattr(tolerances, field.name) for tolerances in (DOUBLE, SINGLE))
        if isinstance(double, Tolerance):
            assert double.limit < single.limit, field.name
        else:
            assert double < single


def test_only_single_precision_may_flip():
    allowed = [
        field.name
        for field in fields(DOUBLE)
        if isinstance(value := getattr(DOUBLE, field.name), Tolerance) and value.flip_limit
    ]
    assert allowed == []
    assert SINGLE.masks.flip_share == 0.001
