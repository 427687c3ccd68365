"""The layers of an image, read and written."""

from __future__ import annotations

import numpy as np
import pytest
from napari_screen import start_screen

from seem_client.adapters.napari.marks import Kind, Mark, drawn
from seem_wire import rle

start_screen()

from napari.components import ViewerModel  # noqa: E402
from napari.layers import Image, Labels  # noqa: E402

from seem_client.adapters.napari.board import NOT_THIS, THIS, Board  # noqa: E402

BOX = np.array([(10.0, 20.0), (10.0, 40.0), (30.0, 40.0), (30.0, 20.0)])


def made(*size, **options):
    viewer = ViewerModel()
    image = viewer.add_layer(Image(np.zeros(size), name="it", **options))
    board = Board(viewer, image, size)
    board.say_of(1, positive=True)
    return board


def mask_of(*rows):
    mask = np.zeros((50, 60), np.bool_)
    mask[slice(*rows)] = True
    return rle.encode(mask)


def test_what_is_drawn_is_of_the_object_and_sign_that_were_said():
    board = made(50, 60)
    board.points.add((3, 4))
    board.say_of(2, positive=False)
    board.shapes.add(BOX, shape_type="rectangle")
    assert board.marks() == (
        Mark(Kind.POINT, 1, ((4.5, 3.5),)),
        drawn("rectangle", BOX, 2, positive=False),
    )


@pytest.mark.parametrize("options", [{}, {"scale": (0.3, 7), "translate": (5, -900), "rotate": 30}])
def test_marks_that_leave_and_come_back_are_the_same(options):
    board = made(50, 60, **options)
    board.points.add((3.3333, 4.1))
    board.shapes.add(BOX, shape_type="rectangle")
    board.shapes.add(BOX + 0.123, shape_type="ellipse")
    board.say_of(2, positive=False)
    board.shapes.add(BOX[:2] + 0.7, shape_type="path")
    board.add(Mark(Kind.WORDS, 2, words="cat"))
    marks = board.marks()
    board.change(gone=marks)
    assert board.marks() == ()
    board.change(gone=(), back=marks)
    assert set(board.marks()) == set(marks)
    assert board.points.feature_defaults["object"][0] == 2


def test_a_stacks_marks_tell_their_frame():
    board = made(4, 50, 60)
    board.points.add((2, 3, 4))
    board.shapes.add(np.insert(BOX, 0, 3, axis=1), shape_type="rectangle")
    marks = board.marks()
    assert [one.frame for one in marks] == [2, 3]
    board.change(gone=marks)
    board.change(gone=(), back=marks)
    assert set(board.marks()) == set(marks)


def test_colours_tell_the_sign():
    board = made(50, 60)
    for positive in (True, False):
        board.say_of(1, positive=positive)
        board.points.add((3, 4))
        board.shapes.add(BOX, shape_type="rectangle")
    board.colour()
    wanted = [[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in (THIS, NOT_THIS)]
    for colours in (board.points.face_color, board.shapes.edge_color):
        assert np.round(colours[:, :3] * 255).astype(int).tolist() == wanted


def test_greater_objects_lie_over_lesser_ones_and_gone_ones_are_gone():
    board = made(50, 60)
    board.draw({(0, 2): mask_of(10, 20), (0, 1): mask_of(0, 15)})
    assert [int(board.result.data[row, 0]) for row in (0, 12, 18, 30)] == [1, 2, 2, 0]
    board.draw({(0, 1): mask_of(0, 15)})
    assert [int(board.result.data[row, 0]) for row in (0, 12, 18, 30)] == [1, 1, 0, 0]


def test_a_frame_whose_masks_stand_is_not_drawn_again():
    board = made(2, 50, 60)
    first = {(0, 1): mask_of(0, 10)}
    board.draw(first)
    board.result.data[0, 0, 0] = 9  # painted by hand
    board.draw(first | {(1, 1): mask_of(0, 10)})
    assert board.result.data[:, 0, 0].tolist() == [9, 1]


def test_the_selected_label_of_a_layer_is_a_rough_mask():
    board = made(50, 60)
    labels = Labels(np.zeros((50, 60), int))
    labels.data[3:5], labels.selected_label = 4, 4
    assert board.painted(labels, 2, None) == Mark(Kind.MASK, 2, painted=mask_of(3, 5))


def test_names_are_the_labels_features():
    board = made(50, 60)
    board.name({1: "cat", 4: "dog"})
    assert board.result.features["name"].tolist() == ["cat", "dog"]


def test_what_was_drawn_in_leaves_the_viewer_and_the_masks_stay():
    board = made(50, 60)
    board.remove()
    board.remove()
    assert [one.name for one in board._viewer.layers] == ["it", "it: objects"]
