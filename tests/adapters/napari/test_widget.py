"""A person before a real napari, its plug-in, and a server."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from napari_screen import PHOTOS, Person, start_screen, until
from nuclio_words import picture
from PIL import Image
from served_process import Served

from seem_server.app import local_server
from seem_server.settings import Settings

start_screen()

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt  # noqa: E402
from qtpy.QtGui import QMouseEvent  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from qtpy.QtWidgets import QApplication  # noqa: E402

from seem_client.adapters.napari import sitting as sittings  # noqa: E402

PIXELS = picture(0)
STACK = np.stack([picture(step) for step in range(5)])
RECTANGLE = np.array([(10, 10), (10, 30), (30, 30), (30, 10)])


@pytest.fixture
def begun(person):
    person.begin(PIXELS)
    person.rest()
    return person


def on_screen(viewer, row, column):
    """The canvas, and where a place of the world is on it."""
    canvas = viewer.window._qt_viewer.canvas
    origin, far = (
        np.array(canvas._map_canvas2world(at, canvas.view))[-2:] for at in ((0, 0), (100, 100))
    )
    down, across = (np.array([row, column]) - origin) / (far - origin) * 100
    return canvas.native, QPoint(round(across), round(down))


def drag(canvas, at):
    """The mouse goes there with its button down, which QTest's moves have not."""
    where = QPointF(at), QPointF(canvas.mapToGlobal(at))
    moved = QMouseEvent(QEvent.MouseMove, *where, Qt.NoButton, Qt.LeftButton, Qt.NoModifier)
    QApplication.sendEvent(canvas, moved)
    QTest.qWait(50)  # quicker moves count as one


def test_a_click_of_the_mouse_gives_a_mask(begun):
    until(lambda: begun.viewer.window._qt_viewer.canvas.native.width() > 100)
    begun.viewer.reset_view()
    canvas, at = on_screen(begun.viewer, 20, 20)
    QTest.mouseClick(canvas, Qt.LeftButton, Qt.NoModifier, at)
    until(begun.result.any, begun.widget)
    ((row, column),) = begun.board.points.data
    assert (abs(row - 20), abs(column - 20)) < (1, 1)
    assert begun.result[20, 20] == 1


def test_a_rectangle_that_is_drawn_with_the_mouse_is_said_when_it_is_finished(begun):
    begun.viewer.reset_view()
    begun.viewer.layers.selection.active = begun.board.shapes
    begun.board.shapes.mode = "add_rectangle"
    canvas, start = on_screen(begun.viewer, 10, 10)
    _, end = on_screen(begun.viewer, 30, 40)
    QTest.mousePress(canvas, Qt.LeftButton, Qt.NoModifier, start)
    for at in ((start + end) / 2, end, end):
        drag(canvas, at)
    assert begun.board.marks() == ()
    QTest.mouseRelease(canvas, Qt.LeftButton, Qt.NoModifier, end)
    until(begun.result.any, begun.widget)
    assert begun.result[12:28, 12:38].all()


@pytest.mark.parametrize(
    ("shape_type", "vertices"),
    [
        ("rectangle", RECTANGLE),
        ("ellipse", RECTANGLE),
        ("polygon", RECTANGLE[:3]),
        ("path", [(20, 10), (20, 20), (22, 30)]),
        ("line", [(20, 10), (20, 30)]),
    ],
)
def test_every_shape_gives_a_mask(begun, shape_type, vertices):
    begun.shape(shape_type, np.array(vertices, float))
    assert begun.result[20, 22] == 1
    assert "pixels" in begun.says()


def test_what_is_not_the_object_is_cleared(begun):
    begun.point(20, 20)
    area = int((begun.result == 1).sum())
    begun.point(24, 24, positive=False)
    assert begun.result[24, 24] == 0
    assert 0 < (begun.result == 1).sum() < area


def test_the_sign_is_turned_by_a_key(begun):
    points = begun.board.points
    (turn,) = (call for key, call in points.keymap.items() if str(key).upper() == "N")
    turn(points)
    assert begun.widget.not_this.isChecked()


def test_a_layers_scale_and_place_are_minded(person):
    person.begin(PIXELS, scale=(0.5, 2), translate=(100, -7))
    person.rest()
    assert person.board.points.scale.tolist() == [0.5, 2]
    person.board.points.scale = (1, 1)  # a layer that lies elsewhere is read through the world
    person.board.points.translate = (0, 0)
    person.point(100 + 20 * 0.5, -7 + 20 * 2)
    assert person.result[20, 20] == 1
    assert person.board.result.scale.tolist() == [0.5, 2]


@pytest.mark.parametrize(
    "pixels",
    [PIXELS[..., 0], PIXELS[..., 0].astype(np.uint16) * 100, PIXELS[..., 0] / 255, PIXELS / 255],
    ids=["grey", "uint16", "float", "colours of floats"],
)
def test_images_of_other_numbers_are_read(person, pixels):
    person.begin(pixels)
    person.rest()
    person.point(20, 20)
    assert person.result[20, 20] == 1


def test_each_object_has_its_label_and_its_name(begun):
    begun.widget.name.setText("square")
    begun.widget.name.editingFinished.emit()
    begun.point(20, 20)
    begun.widget.new.click()
    assert begun.board.result.selected_label == 2
    begun.widget.name.setText("corner")
    begun.widget.name.editingFinished.emit()
    begun.point(50, 80)
    assert (begun.result[20, 20], begun.result[50, 80]) == (1, 2)
    names = begun.board.result.features
    assert dict(zip(names["index"], names["name"], strict=True)) == {1: "square", 2: "corner"}
    begun.board.result.selected_label = 1
    assert begun.widget.object_id.value() == 1
    assert begun.widget.name.text() == "square"


def test_undo_and_redo_take_marks_and_masks(begun):
    begun.point(20, 20)
    one = begun.result.copy()
    begun.shape("rectangle", RECTANGLE + 20)
    two = begun.result.copy()
    begun.press(begun.widget.undo)
    assert np.array_equal(begun.result, one)
    assert begun.board.shapes.nshapes == 0
    begun.press(begun.widget.redo)
    assert np.array_equal(begun.result, two)
    assert begun.board.shapes.nshapes == 1
    begun.press(begun.widget.clear)
    assert not begun.result.any()
    assert begun.board.marks() == ()
    begun.press(begun.widget.undo)
    assert np.array_equal(begun.result, two)
    assert len(begun.board.points.data) == 1
    assert begun.widget._sitting.can_undo


def test_a_point_that_is_moved_or_deleted_counts_where_it_is(begun):
    begun.point(20, 20)
    begun.board.points.data = np.array([[50.0, 80.0]])
    begun.rest()
    assert (begun.result[20, 20], begun.result[50, 80]) == (0, 1)
    begun.board.points.remove([0])
    begun.rest()
    assert not begun.result.any()


def test_words_name_the_object_and_find_it(begun):
    begun.widget.words.setText("thing")
    begun.widget.words.returnPressed.emit()
    begun.rest()
    assert begun.result.any()
    assert begun.widget.name.text() == "thing"


def test_what_was_painted_is_a_rough_mask(begun):
    painted = begun.viewer.add_labels(np.zeros((64, 96), int), name="painted")
    painted.data[10:30, 10:30] = 1
    painted.selected_label = 1
    begun.widget.masks.setCurrentText("painted")
    begun.press(begun.widget.give_mask)
    assert begun.result[12:28, 12:28].all()
    begun.viewer.add_labels(np.zeros((6, 9), int), name="of another size")
    begun.widget.masks.setCurrentText("of another size")
    begun.press(begun.widget.give_mask)
    assert "size" in begun.says()


def test_everything_is_a_layer_with_names(begun):
    begun.press(begun.widget.everything)
    found = begun.viewer.layers["picture: everything"]
    assert set(found.features["name"]) <= {"thing", "named thing", "background"}
    assert set(np.unique(found.data)) - {0} == set(found.features["index"])
    assert begun.viewer.layers.selection.active is begun.board.points


def test_objects_are_followed_through_a_stack(person):
    person.begin(STACK)
    person.rest()
    person.viewer.dims.set_current_step(0, 1)
    person.point(1, 20, 20)
    assert person.result.any(axis=(1, 2)).tolist() == [False, True, False, False, False]
    person.press(person.widget.follow)
    assert person.result.any(axis=(1, 2)).tolist() == [False, True, True, True, True]
    assert person.says() == "Frame 5 of 5."


def test_following_is_stopped(person):
    person.begin(np.concatenate([STACK] * 10))
    person.rest()
    person.viewer.dims.set_current_step(0, 0)
    person.point(0, 20, 20)
    person.widget.follow.click()
    until(lambda: "Frame" in person.says(), person.widget)
    assert person.widget.follow.text() == "Stop"
    person.press(person.widget.follow)
    assert not person.result[-1].any()
    person.point(0, 22, 22)
    assert "pixels" in person.says()


# --- what goes wrong


def test_a_server_that_is_down_is_told_and_found_when_it_is_there(viewer, tmp_path):
    server = Served(tmp_path, bundle="fake", flags=("--log-level", "error"))
    person = Person(viewer, server.address)
    person.widget._later.setInterval(50)
    person.begin(PIXELS)
    person.rest()
    assert "cannot be reached" in person.says()
    person.board.points.add((20, 20))
    server.start()
    until(person.board.result.data.any, person.widget)
    person.rest()
    assert "pixels" in person.says()
    person.leave()
    server.kill()


@pytest.mark.slow
def test_a_server_that_dies_is_told_and_the_same_masks_come_when_it_is_back(viewer, tmp_path):
    server = Served(tmp_path, bundle="fake", flags=("--log-level", "error"))
    server.start()
    person = Person(viewer, server.address)
    person.widget._later.setInterval(50)
    person.begin(PIXELS)
    person.point(20, 20)
    before = person.result.copy()
    server.kill()
    person.board.points.add((50, 80))
    until(lambda: "cannot be reached" in person.says(), person.widget)
    assert np.array_equal(person.result, before)
    server.start()
    until(lambda: person.result[50, 80] == 1, person.widget)
    person.rest()
    person.press(person.widget.undo)
    assert np.array_equal(person.result, before)
    person.leave()
    server.kill()


def test_a_session_that_is_gone_is_begun_again(begun):
    begun.point(20, 20)
    begun.widget._sitting._session.leave()
    begun.point(50, 80)
    assert (begun.result[20, 20], begun.result[50, 80]) == (1, 1)


def test_a_server_that_says_nothing_leaves_napari_free(viewer, monkeypatch):
    monkeypatch.setattr(sittings, "TIMEOUT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        person = Person(viewer, f"127.0.0.1:{silent.getsockname()[1]}")
        person.begin(PIXELS)  # comes back at once
        assert person.widget._worker is not None
        person.board.points.add((20, 20))
        person.rest()  # Qt's loop goes on meanwhile
        assert "127.0.0.1" in person.says()
        person.leave()


def test_what_the_server_refuses_is_told_and_taken_out_again(begun):
    begun.point(20, 20)
    begun.point(500, 20)
    assert "outside" in begun.says()
    assert begun.board.points.data.tolist() == [[20, 20]]
    begun.point(24, 24)
    assert "pixels" in begun.says()


def test_where_it_is_not_waits_for_where_it_is(begun):
    begun.point(40, 70, positive=False)
    assert "only" in begun.says()
    begun.point(20, 20)
    assert begun.result[20, 20] == 1
    assert len(begun.widget._sitting.said) == 2


def test_a_layer_that_is_no_image_is_told(person):
    person.begin(np.zeros((2, 2, 8, 8), np.uint8))
    assert "4 dimensions" in person.says()
    assert person.board is None


class Unreadable:
    """A lazy array whose file is broken."""

    shape, ndim, dtype, size = (64, 96), 2, np.dtype(np.uint8), 64 * 96

    def __getitem__(self, _):
        return np.zeros((64, 96), np.uint8)

    def __array__(self, *_, **__):
        raise RuntimeError("the file is broken")


def test_an_image_that_cannot_be_read_is_told(person, caplog):
    layer = person.viewer.add_image(PIXELS[..., 0], name="picture")
    layer._data = Unreadable()
    person.press(person.widget.begin)
    assert "cannot be read" in person.says()
    assert "Traceback" not in person.says()
    assert "the file is broken" in caplog.text


def test_a_token_file_that_is_not_there_is_told_and_may_be_put_right(person):
    person.widget.token_file.setText("/nowhere/token")
    person.begin(PIXELS)
    person.rest()
    assert "/nowhere/token" in person.says()
    person.widget.token_file.clear()
    person.widget.token_file.editingFinished.emit()
    person.point(20, 20)
    assert person.result[20, 20] == 1


def test_without_an_image_there_is_nothing_to_begin(person):
    person.press(person.widget.begin)
    assert "open an image" in person.says()


def test_a_layer_that_is_removed_ends_it(begun):
    begun.viewer.layers.remove(begun.board.points)
    assert begun.board is None
    assert "removed" in begun.says()
    begun.press(begun.widget.begin)
    begun.point(20, 20)
    assert begun.result.any()


# --- a picture for the documentation


@pytest.mark.slow
def test_a_photo_with_its_mask_is_drawn(viewer, tmp_path):
    with local_server(Settings(bundle="lite")) as address:
        person = Person(viewer, address)
        viewer.window._qt_window.resize(1440, 900)
        person.begin(np.asarray(Image.open(PHOTOS / "cat.jpg").convert("RGB")), name="cat")
        person.rest()
        plain = screenshot(viewer)
        height, width = person.result.shape
        person.point(height * 0.5, width * 0.5)
        person.point(height * 0.05, width * 0.05, positive=False)
        person.widget.not_this.setChecked(False)
        drawn = screenshot(viewer)
        folder = Path(os.environ.get("SEEM_SCREENSHOTS", tmp_path))
        shown = (
            Image.fromarray(drawn).convert("RGB").quantize(256)
        )  # half the bytes, to the eye the same
        shown.save(folder / "napari.png", optimize=True)
        person.leave()
    assert (plain != drawn).any(axis=2).mean() > 0.05


def screenshot(viewer):
    """The whole window, once all of it is drawn."""
    viewer.reset_view()
    QTest.qWait(300)
    return viewer.screenshot(canvas_only=False, flash=False)
