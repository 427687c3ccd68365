"""The controls by themselves."""

from __future__ import annotations

import pytest
from napari_screen import start_screen

from seem_client.adapters.napari.sitting import Reach

start_screen()

from seem_client.adapters.napari.panel import Panel  # noqa: E402


class Layer:
    def __init__(self, name):
        self.name = name


@pytest.fixture
def panel(viewer):  # noqa: ARG001 - without Qt's application there are no controls
    return Panel(7)


def test_how_the_server_is_reached_is_what_was_typed(panel):
    assert panel.reach() == Reach("localhost:50051")
    panel.address.setText(" host:1 ")
    panel.tls.setChecked(True)
    panel.tls_ca.setText("ca.pem")
    panel.token_file.setText("token")
    assert panel.reach() == Reach("host:1", "token", tls=True, tls_ca="ca.pem")


def test_names_have_commas_between_them(panel):
    assert panel.names() == ()
    panel.vocabulary.setText("cat, big dog,,")
    assert panel.names() == ("cat", "big dog")


def test_a_layer_stays_chosen_when_others_come(panel):
    one, two, three = map(Layer, ("one", "two", "three"))
    panel.offer(panel.image, [one, two])
    panel.image.setCurrentText("two")
    panel.offer(panel.image, [three, two])
    assert panel.image.currentData() is two
    panel.offer(panel.image, [three])
    assert panel.image.currentData() is three


def test_trouble_looks_like_trouble(panel):
    panel.say("All is well.")
    well = panel.status.styleSheet()
    panel.say("It is not.", is_trouble=True)
    assert (panel.status.text(), panel.status.styleSheet() == well) == ("It is not.", False)
