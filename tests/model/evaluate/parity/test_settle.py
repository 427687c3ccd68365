from seem_model.evaluate.parity.close_calls import CloseCall
from seem_model.evaluate.parity.settle import MOST_TURNED, Attempt, settle
from seem_model.evaluate.parity.sheet import Row, Use

CALLS = [CloseCall(0, layer, 0, 0, 0, (layer + 1) * 1e-6) for layer in range(5)]


def attempts(needed, tried):
    """Passes when just the `needed` layers are turned; the distance is how many still differ."""

    def attempt(turned):
        layers = {call.layer for call in turned}
        tried.append(layers)
        wrong = len(layers ^ needed)
        row = Row("f", "a", Use.COMPARED, not wrong, wrong, 1.0, mean_error=wrong)
        return Attempt([row], tuple(turned), tuple(CALLS))

    return attempt


def settled(needed):
    tried = []
    attempt = attempts(needed, tried)
    return settle(attempt(()), attempt), tried


def test_the_calls_that_the_reference_took_otherwise_are_found():
    found, _ = settled({1, 3})
    assert {call.layer for call in found.turned} == {1, 3}
    assert found.closest == 4e-6


def test_nothing_is_tried_twice():
    _, tried = settled({1, 2, 4})
    assert len(tried) == len({frozenset(layers) for layers in tried})


def test_more_than_a_few_turned_calls_are_no_proof():
    found, tried = settled({0, 1, 2, 3})
    assert found is None
    assert max(map(len, tried)) == MOST_TURNED


def test_without_close_calls_there_is_nothing_to_settle():
    failed = Attempt([Row("f", "a", Use.COMPARED, ok=False)], (), ())
    assert settle(failed, lambda _: failed) is None
