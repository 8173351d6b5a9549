"""What a figure shows, tested by the data behind it."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from helpers import figures, memory, networks

# Okabe and Ito, Color Universal Design, 2008, without yellow and sky blue.
OKABE_ITO = {"#000000", "#e69f00", "#009e73", "#0072b2", "#d55e00", "#cc79a7"}


@pytest.fixture
def ax():
    mpl.use("agg")
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


@pytest.fixture
def shown(monkeypatch):
    """Return the list of what is displayed."""
    outputs = []

    def display(data, raw):
        outputs.append(data)

    monkeypatch.setattr("IPython.display.display", display)
    return outputs


def texts_by_place(ax):
    return {text.get_position(): text.get_text() for text in ax.texts}


def pixel_on_screen(ax, row, column):
    """Return the brightness, 0 to 1, with which a pixel of a picture is drawn."""
    [image] = ax.images
    value = image.get_array()[row, column]
    return image.cmap(image.norm(value))[0]


def test_table_of_numbers_is_aligned_right_and_has_commas(shown):
    figures.table(["layer", "bytes"], [["conv", 24_784], ["dense", np.int64(1000)]])
    assert shown[0]["text/markdown"].splitlines() == [
        "| layer | bytes |",
        "| :--- | ---: |",
        "| conv | 24,784 |",
        "| dense | 1,000 |",
    ]


def test_table_without_rows_has_its_columns(shown):
    figures.table(["board", "flash"], [])
    assert shown[0]["text/markdown"] == "| board | flash |\n| :--- | :--- |"


def test_notice_shows_text_as_text(shown):
    figures.notice("no <network>")
    assert "no &lt;network&gt;" in shown[0]["text/html"]


def test_notice_without_text_shows_nothing(shown):
    figures.notice("")
    assert shown == []


@pytest.mark.parametrize(
    ("dtype", "paper", "grey", "ink"),
    [(np.uint8, 0, 128, 255), (np.int8, -128, 0, 127)],
)
def test_digit_shows_paper_black_and_ink_white(ax, dtype, paper, grey, ink):
    image = np.full((28, 28, 1), paper, dtype)
    image[3, 5] = ink
    image[4, 5] = grey
    figures.draw_digit(ax, image)
    assert pixel_on_screen(ax, 0, 0) == 0
    assert pixel_on_screen(ax, 3, 5) == 1
    assert pixel_on_screen(ax, 4, 5) == pytest.approx(0.5, abs=0.01)


def test_digit_without_ink_is_not_brightened(ax):
    figures.draw_digit(ax, np.full((28, 28), 51, np.uint8))
    assert pixel_on_screen(ax, 0, 0) == pytest.approx(0.2, abs=0.01)


def test_digits_get_their_titles_and_empty_axes_stay_empty():
    figure, axes = plt.subplots(1, 3)
    images = np.zeros((2, 28, 28), np.uint8)
    figures.draw_digits(axes, images, ["one"])
    assert [ax.get_title() for ax in axes] == ["one", "", ""]
    assert [len(ax.images) for ax in axes] == [1, 1, 0]
    plt.close(figure)


def test_values_stand_in_their_pixels(ax):
    figures.draw_values(ax, [[1, 2, 3], [4, 5, 255]])
    texts = texts_by_place(ax)
    assert texts[2, 0] == "3"  # row 0, column 2
    assert texts[0, 1] == "4"
    assert texts[2, 1] == "255"


def test_values_can_be_read_on_their_pixels(ax):
    figures.draw_values(ax, [[0, 100, 150, 255]])
    assert [text.get_color() for text in ax.texts] == [
        "white",
        "white",
        "black",
        "black",
    ]


def test_values_of_a_board_can_be_read_on_their_pixels(ax):
    figures.draw_values(ax, [[-128, -10, 10, 127]], value_range=(-128, 127))
    colours = [text.get_color() for text in ax.texts]
    assert colours == ["white", "white", "black", "black"]


def test_map_shows_zero_white_and_signs_in_red_and_blue(ax):
    figures.draw_map(ax, np.array([[-1.0, 0.0, 4.0]]))
    [image] = ax.images
    negative, zero, positive = image.cmap(image.norm([-4.0, 0.0, 4.0]))
    assert min(zero[:3]) > 0.95
    assert positive[0] > 2 * positive[2]
    assert negative[2] > 2 * negative[0]
    assert (image.norm.vmin, image.norm.vmax) == (-4, 4)


def test_maps_with_one_reach_have_one_scale(ax):
    figures.draw_map(ax, np.array([[0.1]]), reach=2)
    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (-2, 2)


def test_mark_surrounds_whole_pixels(ax):
    figures.mark(ax, row=8, column=10, height=3, width=5)
    box = ax.patches[0].get_bbox()
    assert (box.x0, box.x1) == (9.5, 14.5)
    assert (box.y0, box.y1) == (7.5, 10.5)


@pytest.mark.parametrize(
    ("kind", "kibibytes"), [("flash", [32, 256]), ("RAM", [2, 16])]
)
def test_memory_bars_are_those_of_the_boards(ax, kind, kibibytes):
    figures.draw_memory(ax, [memory.ARDUINO_UNO, memory.MICRO_BIT], kind)
    assert [bar.get_width() for bar in ax.patches] == kibibytes
    assert [text.get_text() for text in ax.texts] == [f"{x} KiB" for x in kibibytes]


def test_memory_bars_begin_at_the_left_end(ax):
    figures.draw_memory(ax, [memory.ARDUINO_UNO, memory.MICRO_BIT], "RAM")
    assert ax.get_xlim()[0] == 0  # else their lengths would not compare


def test_memory_bar_of_the_model_is_blue_and_others_are_not(ax):
    figures.draw_memory(ax, [memory.ARDUINO_UNO, memory.MODEL], "RAM")
    colours = [to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert colours == [figures.GREY, figures.BLUE.lower()]


def test_funnel_bars_are_the_numbers_of_each_output_centred(ax):
    costs = [
        networks.LayerCost("conv", "Conv2D", (26, 26, 8), 80, 48_672),
        networks.LayerCost("flatten", "Flatten", (5408,), 0, 0),
        networks.LayerCost("dense", "Dense", (10,), 54_090, 54_080),
    ]
    figures.draw_funnel(ax, costs)
    assert [bar.get_width() for bar in ax.patches] == [784, 5408, 10]
    assert [bar.get_x() for bar in ax.patches] == [-392, -2704, -5]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["image: 28 × 28 × 1", "conv: 26 × 26 × 8", "dense: 10"]


def test_confusion_has_true_digits_in_rows_and_answers_in_columns(ax):
    labels = np.array([3, 3, 3, 1])
    answers = np.array([5, 5, 3, 1])
    figures.draw_confusion(ax, labels, answers)
    assert texts_by_place(ax) == {(5, 3): "2", (3, 3): "1", (1, 1): "1"}
    assert ax.get_ylabel() == "true digit"
    assert ax.get_xlabel() == "answer"


def test_confusion_colours_mistakes_and_not_right_answers(ax):
    labels = np.array([3] * 100 + [4])
    answers = np.array([3] * 100 + [9])
    figures.draw_confusion(ax, labels, answers)
    [image] = ax.images
    assert image.get_array()[3, 3] == 0
    assert image.get_array()[4, 9] == 1


def test_confusion_counts_can_be_read_on_their_colours(ax):
    labels = [0] * 10 + [1]
    figures.draw_confusion(ax, labels, [2] * 10 + [3])
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours == {"10": "white", "1": figures.INK}


def test_scores_are_bars_above_the_lowest_byte_and_the_highest_is_green(ax):
    scores = np.array([-128, 0, 127, -1, -128, -128, -128, -128, -128, -128], np.int8)
    figures.draw_scores(ax, scores)
    assert [bar.get_height() for bar in ax.patches][:4] == [0, 128, 255, 127]
    colours = [to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert colours.index(figures.GREEN.lower()) == 2
    assert colours.count(figures.GREY) == 9


def test_scores_bars_begin_at_the_lower_end(ax):
    figures.draw_scores(ax, np.zeros(10, np.int8))
    low, high = ax.get_ylim()
    assert low == 0 and high > 255


def test_line_fit_lines_begin_at_zero(ax):
    figures.draw_line_fit(ax, np.array([1.0, 2.0]), np.array([3.0, 6.0]), [3.0])
    assert ax.lines[1].get_xdata().tolist() == [0, 2]


def test_line_fit_has_a_line_for_each_weight_and_names_the_last(ax):
    x = np.array([0.0, 2.0])
    figures.draw_line_fit(ax, x, 3 * x, [0.0, 1.5, 3.0])
    ends = [line.get_ydata()[-1] for line in ax.lines[1:]]
    assert ends == [0, 3, 6]
    assert [text.get_text() for text in ax.texts] == [" w = 3.00"]


def squared_error(w, x, y):
    return np.mean((w * x - y) ** 2)


def test_descent_steps_lie_on_the_curve_of_the_loss(ax):
    x = np.array([1.0, 2.0])
    figures.draw_descent(ax, squared_error, x, 2 * x, [0.0, 3.0, 1.5])
    curve, path = ax.lines
    assert path.get_xdata().tolist() == [0, 3, 1.5]
    assert path.get_ydata().tolist() == [10, 2.5, 0.625]
    assert min(curve.get_xdata()) < 0 and max(curve.get_xdata()) > 3
    assert ax.texts[0].xy == (0, 10)


def test_history_shows_training_dashed_and_validation_blue():
    history = {
        "loss": [2.0, 1.0],
        "val_loss": [2.5, 1.5],
        "accuracy": [0.1, 0.5],
        "val_accuracy": [0.2, 0.4],
    }
    figure, axes = plt.subplots(1, 2)
    figures.draw_history(axes, history)
    training, validation = axes[1].lines
    assert list(training.get_ydata()) == [0.1, 0.5]
    assert training.get_linestyle() == "--"
    assert list(validation.get_ydata()) == [0.2, 0.4]
    assert validation.get_color() == figures.BLUE
    assert list(validation.get_xdata()) == [1, 2]
    assert [line.get_ydata()[0] for line in axes[0].lines] == [2.0, 2.5]
    plt.close(figure)


def test_filters_stand_above_what_they_make_of_the_image():
    filters = np.zeros((3, 3, 1, 2))
    filters[0, 2, 0, 1] = 5.0  # takes the pixel at the upper right of each window
    image = np.arange(25.0).reshape(5, 5)
    figure, axes = plt.subplots(2, 2)
    figures.draw_filters(axes, filters, image, "before")
    assert axes[0, 1].images[0].get_array()[0, 2] == 5
    assert axes[1, 1].images[0].get_array().tolist() == (5 * image[:3, 2:]).tolist()
    assert axes[0, 0].get_title() == "before"
    plt.close(figure)


def test_rounding_moves_weights_to_lines_that_are_labelled_with_bytes(ax):
    figures.draw_rounding(ax, np.array([0.14, -0.26]), 0.1)
    weights, rounded = ax.lines[-2:]
    assert weights.get_ydata() == pytest.approx([0.14, -0.26])
    assert rounded.get_ydata() == pytest.approx([0.1, -0.3])
    labels = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert labels["-3"] == pytest.approx(-0.3)
    assert labels["2"] == pytest.approx(0.2)
    assert list(labels) == ["-3", "-2", "-1", "0", "1", "2", "3"]


def test_bytes_stand_at_their_bars(ax):
    figures.draw_bytes(ax, ["weights", "biases"], [16_712, 520])
    assert [bar.get_width() for bar in ax.patches] == [16_712, 520]
    assert [text.get_text().strip() for text in ax.texts] == ["16,712", "520"]


def test_activations_show_where_the_range_ends(ax):
    figures.draw_activations(ax, np.array([[0.0, 0.0, 1.0]]), 1.5, "first")
    assert sum(bar.get_height() for bar in ax.patches) == 3
    assert set(ax.lines[0].get_xdata()) == {1.5}


def test_errors_are_dots_on_their_intervals(ax):
    series = {
        "before": [(10.0, 5.0, 20.0), (1.0, 0.5, 2.0)],
        "after": [(0.0, 0.0, 0.4), (3.0, 2.0, 4.0)],
    }
    figures.draw_errors(ax, ["shifted", "blurred"], series)
    before, after = ax.lines
    assert before.get_xdata().tolist() == [10, 1]
    assert after.get_xdata().tolist() == [0.05, 3]  # a logarithmic axis has no 0
    assert before.get_marker() != after.get_marker()
    first, second = (np.array(lines.get_segments()) for lines in ax.collections)
    assert first[:, :, 0].tolist() == [[5, 20], [0.5, 2]]
    assert second[1, 0].tolist() == [2, 1.25]  # a little below the first series
    assert ax.get_xscale() == "log"
    assert 0.03 < ax.get_xlim()[0] < 0.05  # it begins where the lowest interval does
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert rows == ["shifted", "blurred"]


def test_folded_table_escapes_its_texts_and_opens_by_its_summary(shown):
    figures.folded_table("2 of 2", ["check", ""], [["a < b", "pass"]])
    text = shown[0]["text/html"]
    assert text.startswith("<details><summary>2 of 2</summary>")
    assert "<th>check</th>" in text
    assert "<td>a &lt; b</td><td>pass</td>" in text


def test_folded_text_is_whole(shown):
    figures.folded_text("engine", "#include <stdint.h>\nint a;")
    assert "<pre>#include &lt;stdint.h&gt;\nint a;</pre>" in shown[0]["text/html"]
    assert shown[0]["text/plain"] == "engine"


def test_colours_are_those_that_colour_blind_readers_tell_apart():
    names = ["BLUE", "ORANGE", "GREEN", "RED", "PURPLE"]
    colours = {getattr(figures, name).lower() for name in names}
    assert len(colours) == 5
    assert colours <= OKABE_ITO


def test_every_drawing_returns_its_axes(ax):
    scores = np.zeros(10, np.int8)
    digit = np.zeros((28, 28), np.uint8)
    cost = networks.LayerCost("dense", "Dense", (10,), 650, 640)
    assert figures.draw_digit(ax, digit) is ax
    assert figures.draw_values(ax, digit[:2, :2]) is ax
    assert figures.draw_map(ax, digit) is ax
    assert figures.mark(ax, 0, 0, 1, 1) is ax
    assert figures.draw_memory(ax, memory.MEMORIES, "RAM") is ax
    assert figures.draw_funnel(ax, [cost]) is ax
    assert figures.draw_confusion(ax, [1], [2]) is ax
    assert figures.draw_scores(ax, scores) is ax
