"""The two networks, what their layers cost, and the operators they need on a board."""

import numpy as np
import pytest

from conftest import tutorial
from helpers import networks, quantization, tflite


def test_tutorial_built_twice_gives_the_same_names_and_weights():
    first, second = tutorial(seed=3), tutorial(seed=3)
    assert [layer.name for layer in first.layers] == [
        "conv2d",
        "max_pooling2d",
        "conv2d_1",
        "max_pooling2d_1",
        "conv2d_2",
        "flatten",
        "dense",
        "dense_1",
    ]
    assert [layer.name for layer in second.layers] == [x.name for x in first.layers]
    for before, after in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_tutorial_of_another_seed_has_other_weights():
    assert (
        tutorial(seed=3).get_weights()[0] != tutorial(seed=4).get_weights()[0]
    ).any()


def test_layer_costs_of_the_tutorial_are_those_worked_out_by_hand():
    costs = networks.layer_costs(tutorial())
    assert [cost.macs for cost in costs] == [
        26 * 26 * 9 * 8,
        0,
        11 * 11 * 9 * 8 * 16,
        0,
        25 * 16 * 32,
        0,
        32 * 64,
        640,
    ]
    assert sum(cost.macs for cost in costs) == 203_552
    assert sum(cost.parameters for cost in costs) == 16_842
    assert (costs[1].kind, costs[1].output_shape) == ("MaxPooling2D", (13, 13, 8))


def test_layer_costs_of_compact_are_those_worked_out_by_hand():
    costs = networks.layer_costs(networks.compact())
    found = {cost.name: cost.macs for cost in costs if cost.macs}
    assert found == {
        "conv1": 24 * 24 * 25 * 8,
        "conv2": 10 * 10 * 9 * 8 * 16,
        "conv3": 8 * 8 * 9 * 16 * 20,
        "conv4": 2 * 2 * 9 * 20 * 40,
        "scores": 2 * 2 * 40 * 10,
    }


@pytest.mark.parametrize("head", ["conv", "dense"])
@pytest.mark.parametrize("network", ["tutorial", "compact"])
def test_operators_are_those_of_the_converted_network(models, network, head):
    model = tflite.read(models(network, head))
    assert model.operator_names == networks.OPERATORS[network, head]


def test_compact_ends_with_the_logits_of_ten_digits():
    deployed = quantization.deployed_graph(networks.compact(), "dense")
    assert deployed.output_shape == (1, 10)
