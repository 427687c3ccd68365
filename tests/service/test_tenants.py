from __future__ import annotations

import re

import pytest
from service_words import KEY, OTHER_KEY

from seem_server.service.callers import ANONYMOUS, Caller
from seem_server.service.quotas import Quotas
from seem_server.service.tenants import Tenants
from seem_wire.errors import QuotaExceeded

ANN, BEN, ROB = Caller("acme", "ann"), Caller("acme", "ben"), Caller("rival", "rob")


def test_the_callers_of_a_tenant_are_one():
    tenants = Tenants()
    assert tenants.of(ANN) is tenants.of(BEN)
    assert tenants.of(ANN) is not tenants.of(ROB)


def test_each_tenants_image_has_a_key_of_its_own_and_the_same_in_every_process():
    keys = {Tenants().of(caller).key_of(KEY) for caller in (ANN, BEN, ROB)}
    assert len(keys | {KEY}) == 3
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)
    assert Tenants().of(ANN).key_of(OTHER_KEY) not in keys


def test_no_name_can_be_chosen_to_meet_anothers_keys():
    assert Tenants().of(Caller("a", "")).key_of("bc") != Tenants().of(Caller("ab", "")).key_of("c")


def test_where_nobody_is_asked_who_he_is_an_image_keeps_its_hash():
    assert Tenants().of(ANONYMOUS).key_of(KEY) == KEY


def test_tenants_that_share_have_the_same_keys():
    shared = Tenants(shared=True)
    assert shared.of(ANN).key_of(KEY) == shared.of(ROB).key_of(KEY) == KEY


def test_one_tenants_quota_is_not_anothers():
    clock = [0.0]
    tenants = Tenants(Quotas(tenant_requests_per_s=0.1), now=lambda: clock[0])
    tenants.of(ANN).request()
    with pytest.raises(QuotaExceeded):
        tenants.of(BEN).request()
    tenants.of(ROB).request()
    clock[0] = 10
    tenants.of(BEN).request()
