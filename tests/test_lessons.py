"""What notebooks 1 to 3 claim, tested with the values that their own cells compute."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from conftest import cells_of, prose_of, stored_text
from helpers import datasets, figures, memory, networks

PAPER = 0
INK = 255


def printed_in(number, label):
    """Return what a stored output of notebook `number` says after a label."""
    [text] = re.findall(f"^{label}: (.*)$", stored_text(number), re.M)
    return text


def values_of(number):
    """Run all code cells of notebook `number` on the sample; return its variables."""
    names = {}
    for cell in cells_of(number):
        if cell.cell_type == "code":
            exec(cell.source, names)
        if "parameters" in cell.metadata.get("tags", []):
            names["save_model_name"] = "lessons"
            names["dataset"] = "mnist_5k"
    return names


@pytest.fixture(scope="module")
def lessons():
    """Return the variables of notebooks 1, 2 and 3 by the notebook's number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "use_style", lambda: None)  # it needs a kernel
        patch.setattr("matplotlib.pyplot.show", lambda: plt.close("all"))
        return {number: values_of(number) for number in (1, 2, 3)}


def test_network_fits_the_memory_that_notebook_1_names():
    assert memory.MODEL.flash_bytes < 20 * 1024
    assert memory.MODEL.flash_bytes < memory.ARDUINO_UNO.flash_bytes
    assert 0.9 < memory.MODEL.ram_bytes / memory.ARDUINO_UNO.ram_bytes < 1


def test_missed_shares_add_up_to_all_wrong_answers(lessons):
    values = lessons[1]
    missed_images = values["missed"] / 100 * values["test_counts"]
    wrong = (values["answers"] != values["test_labels"]).sum()
    assert missed_images.sum() == pytest.approx(wrong)


def test_hardest_digit_is_the_one_with_the_highest_share(lessons):
    values = lessons[1]
    shares = []
    for digit in range(10):
        is_digit = values["test_labels"] == digit
        shares.append((values["answers"][is_digit] != digit).mean())
    assert values["worst"] == np.argmax(shares)


def test_always_the_same_answer_reads_the_images_of_one_digit(lessons):
    assert lessons[1]["result"] == "100 of 1,000 correct (10.0 %)"  # of the sample


def test_nearest_average_reads_four_of_five():
    assert printed_in(1, "nearest average") == "8,203 of 10,000 correct (82.03 %)"


def test_careless_subtraction_makes_paper_and_ink_nearly_equal():
    pixels = np.array([PAPER, INK], np.uint8)
    assert list(pixels - np.uint8(128)) == [128, 127]


def test_board_bytes_are_pixels_minus_128(lessons):
    values = lessons[2]
    expected = values["train_images"].astype(int) - 128
    assert np.array_equal(values["preprocessed"]["train_images"][..., 0], expected)


def test_divided_pixels_give_sums_of_about_one_and_undivided_a_hundred(lessons):
    assert 0.5 < np.abs(lessons[2]["divided"]).max() < 2
    assert 100 < np.abs(lessons[2]["undivided"]).max() < 256


def test_bar_and_stem_show_in_the_maps_as_figure_3_2_says(lessons):
    digit = datasets.example_digit(7).astype(int)
    vertical = lessons[3]["vertical"]
    upright_edges = np.abs(lessons[3]["convolve"](digit, vertical))
    level_edges = np.abs(lessons[3]["convolve"](digit, vertical.T))
    bar = slice(0, 14)  # rows of the maps
    stem = slice(15, 25)
    assert level_edges[bar].max() > 1.4 * level_edges[stem].max()
    assert upright_edges[stem].sum() > 1.4 * level_edges[stem].sum()
    assert level_edges[stem].max() > 200  # it shows in both


def test_pooled_patch_is_the_largest_of_each_block(lessons):
    values = lessons[3]
    blocks = values["patch"].reshape(3, 2, 4, 2)
    assert np.array_equal(values["pooled"], blocks.max(axis=(1, 3)))


def test_fully_connected_layer_reads_exactly_as_the_nearest_average(lessons):
    assert np.array_equal(lessons[3]["answers"], lessons[1]["answers"])
    assert printed_in(3, "fully connected") == printed_in(1, "nearest average")


def test_shuffled_pixels_are_read_exactly_as_before(lessons):
    shuffled_answers = lessons[3]["shuffled_scores"].argmax(axis=1)
    assert np.array_equal(shuffled_answers, lessons[1]["answers"])
    assert (lessons[3]["order"] != np.arange(784)).mean() > 0.9
    assert printed_in(3, "shuffled") == printed_in(1, "nearest average")


def test_score_of_the_example_is_highest_at_its_digit(lessons):
    assert lessons[3]["scores"].argmax() == 7


def test_sizes_by_the_formula_are_those_of_keras(lessons):
    values = lessons[3]
    by_formula = [
        values["after_conv_1"],
        values["after_pool_1"],
        values["after_conv_2"],
        values["after_pool_2"],
        values["after_conv_3"],
    ]
    layers = values["tutorial_model"].layers[:5]
    assert by_formula == [layer.output.shape[1] for layer in layers]


def test_first_convolution_puts_out_seven_times_the_picture(lessons):
    first = lessons[3]["costs"][0]
    assert round(np.prod(first.output_shape) / 784) == 7


def test_second_convolution_by_hand_equals_keras(lessons):
    values = lessons[3]
    assert values["inputs"].size == 72
    by_keras = values["second_output"][0, 7, 5, 1]
    assert values["by_hand_value"] == pytest.approx(float(by_keras), rel=1e-5)
    assert by_keras > 0.1  # zero would prove nothing


def test_products_that_pooling_throws_away_change_nothing(lessons):
    model = lessons[3]["tutorial_model"]
    maps = np.random.default_rng(0).normal(size=(1, 11, 11, 16))
    pooled = model.layers[3](maps).numpy()
    others = maps.copy()
    others[:, 10, :, :] = 1000
    others[:, :, 10, :] = 1000
    assert np.array_equal(pooled, model.layers[3](others).numpy())
    products = (others == 1000).sum() * model.layers[2].kernel.shape[2] * 9
    assert lessons[3]["unused"] == products == 24_192


def test_products_in_the_text_are_those_of_the_network(lessons):
    costs = networks.layer_costs(lessons[3]["tutorial_model"])
    total = sum(cost.macs for cost in costs)
    used = total - lessons[3]["unused"]
    assert lessons[3]["used"] == used
    assert f"{total:,} products" in prose_of(3)
    assert f"{used:,} cycles" in prose_of(3)
    assert 0.4e-3 < used / 400e6 < 0.5e-3  # "a bit less than half a millisecond"
    assert round(total / lessons[3]["unused"]) == 8  # "one product in eight"
