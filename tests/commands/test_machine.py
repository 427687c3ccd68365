from __future__ import annotations

from seem_server.commands.machine import MachineFigures, machine_figures


def test_a_machine_has_cores_and_can_multiply():
    found = machine_figures()
    assert found.cores >= 1
    assert found.gflops > 0


def test_it_fits_beside_a_figure():
    assert str(MachineFigures(2, 57.4, 0.25)) == "2 cores, 57 GFLOP/s bare, load 0.2"
