from __future__ import annotations

import pytest
from made_dataset import annotation, block, made_dataset
from stand_in import Said, StandIn

from seem_server.commands.hypotheses import Offer, click_for_all, summarise
from seem_server.commands.stills import read_stills

WANTED = block(10, 10, 30, 50)
HALF, QUARTER = block(10, 10, 30, 30), block(10, 10, 30, 20)


def asked(tmp_path, answer, **dataset):
    listed = [annotation(1, WANTED)]
    server = StandIn(lambda *_: answer)
    return server, click_for_all(server, read_stills(made_dataset(tmp_path, listed, **dataset)))


def test_one_click_in_the_middle_asks_for_all_and_every_mask_is_scored(tmp_path):
    sent = (Said(HALF, 0.8), Said(WANTED, 0.6), Said(QUARTER, 0.1))
    server, offers = asked(tmp_path, Said(HALF, 0.8, hypotheses=sent), sources=("a",))
    assert offers == (Offer("a", (0.5, 1.0, 0.25), (0.8, 0.6, 0.1)),)
    assert server.said == [("click for all", 19.5, 19.5, True)]
    assert server.n_clears == 1


def test_a_server_that_offers_nothing_offers_its_mask(tmp_path):
    _, (offer,) = asked(tmp_path, Said(HALF, 0.8))
    assert (offer.ious, offer.scores) == ((0.5,), (0.8,))


def test_what_does_not_count_is_passed_over_but_counted_as_done(tmp_path):
    done = []
    stills = read_stills(made_dataset(tmp_path, [annotation(1, WANTED)], ignore=WANTED))
    assert click_for_all(StandIn(None), stills, done=lambda: done.append(1)) == ()
    assert len(done) == 1


@pytest.mark.parametrize(
    ("ious", "chosen"), [((0.5, 0.4), True), ((0.5, 0.5), True), ((0.5, 0.6), False)]
)
def test_as_good_as_the_best_is_the_best(ious, chosen):
    assert Offer("a", ious, ious).best_is_chosen is chosen


def test_means_are_over_objects_and_reliability_over_all_that_was_sent():
    offers = [Offer("a", (0.5, 0.9, 0.1), (0.6, 0.3, 0.2)), Offer("b", (0.7,), (0.7,))]
    report = summarise(offers)
    assert report.chosen.overall.mean == pytest.approx(0.6)
    assert report.best.overall.mean == pytest.approx(0.8)
    assert report.best_chosen.overall.mean == 0.5
    assert (report.sent.overall.mean, report.sent.sources["a"].mean) == (2.0, 3.0)
    assert report.pairs == ((0.6, 0.5), (0.3, 0.9), (0.2, 0.1), (0.7, 0.7))
    assert report.reliability.count == 4


def test_nothing_offered_comes_to_nothing():
    assert summarise([]) is None
