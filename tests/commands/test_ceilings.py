from __future__ import annotations

from seem_server.commands import ceilings
from seem_server.commands.ceilings import Ceilings
from seem_server.runtime.kernels import Kernel


def test_what_is_measured_is_there():
    found = ceilings.measure(1)
    assert found.operations_s > 1e8
    assert found.bytes_s > 1e8


def test_a_floor_is_the_slower_of_both():
    found = Ceilings(operations_s=1e9, bytes_s=1e8)
    assert found.floor_ms(2_000_000, 0) == 2
    assert found.floor_ms(2_000_000, 500_000) == 5


def test_a_kernel_that_reaches_more_raises_the_ceiling():
    quick = Kernel("a", "Conv", operations=3_000_000, nbytes=0, weight_bytes=0, ms=1)
    idle = Kernel("b", "Conv", operations=0, nbytes=8, weight_bytes=0, ms=0)
    assert Ceilings(1e9, 1).raised([quick, idle]) == Ceilings(3e9, 1)
    assert Ceilings(4e9, 1).raised([quick, idle]) == Ceilings(4e9, 1)


def test_the_best_of_both_is_taken():
    assert Ceilings(1, 4).best(Ceilings(2, 3)) == Ceilings(2, 4)
