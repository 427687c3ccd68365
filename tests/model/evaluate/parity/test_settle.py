import torch

from seem_model.evaluate.parity.close_calls import CloseCall
from seem_model.evaluate.parity.settle import MOST_TURNED, Attempt, settle
from seem_model.evaluate.parity.sheet import Row, Use

NOBODY = torch.zeros(1)
CALLS = [
    CloseCall(0, layer, 0, 0, 0, (layer + 1) * 1e-6, NOBODY, seen=seen)
    for layer in range(5)
    for seen in (False, True)
]


def attempts(needed, tried):
    """Passes when just the `needed` are turned: layers by side; so many still differ."""

    def attempt(turned):
        choices = {(call.layer, call.seen) for call in turned}
        tried.append(choices)
        wrong = len(choices ^ needed)
        row = Row("f", "a", Use.COMPARED, not wrong, wrong, 1.0, mean_error=wrong)
        return Attempt([row], tuple(turned), tuple(CALLS))

    return attempt


def settled(needed):
    tried = []
    attempt = attempts(needed, tried)
    return settle(attempt(()), attempt), tried


def test_the_calls_that_the_reference_took_otherwise_are_found():
    found, _ = settled({(1, True), (3, False)})
    assert {(call.layer, call.seen) for call in found.turned} == {(1, True), (3, False)}
    assert found.closest == 4e-6


def test_nothing_is_tried_twice():
    _, tried = settled({(1, True), (2, True), (4, False)})
    assert len(tried) == len({frozenset(choices) for choices in tried})


def test_more_than_a_few_turned_calls_are_no_proof():
    found, tried = settled({(layer, True) for layer in range(4)})
    assert found is None
    assert max(map(len, tried)) == MOST_TURNED


def test_without_close_calls_there_is_nothing_to_settle():
    failed = Attempt([Row("f", "a", Use.COMPARED, ok=False)], (), ())
    assert settle(failed, lambda _: failed) is None


def test_no_call_is_put_on_both_sides():
    _, tried = settled({(layer, True) for layer in range(4)})
    assert all(len({layer for layer, _ in choices}) == len(choices) for choices in tried)


def test_a_flip_for_an_excuse_is_no_pass_yet():
    excused = Row("f", "a", Use.COMPARED, flipped=True)
    assert not Attempt([excused], (), ()).passed
