"""The accuracy benchmark's verdict: it passes what is good and names what is not."""

import pytest

from tests.benchmarks.accuracy import FLOORS, RECIPES, below_floor


@pytest.mark.parametrize("recipe", RECIPES)
def test_below_floor_at_the_floors_is_silent(recipe):
    assert below_floor(recipe, FLOORS[recipe], [16_384]) == []


@pytest.mark.parametrize("effect", FLOORS["default"])
def test_below_floor_one_mean_too_low_is_named(effect):
    means = FLOORS["default"] | {effect: FLOORS["default"][effect] - 0.01}
    (sentence,) = below_floor("default", means, [25_000])
    assert effect in sentence


def test_below_floor_compact_one_byte_too_long_is_named():
    (sentence,) = below_floor("compact", {"clean": 99.5}, [16_000, 16_385])
    assert "16,385 bytes" in sentence
