"""What the experiments of notebooks 4 to 6 claim is so: their own cells, on the sample.

The sample has fewer images than MNIST, so thresholds are wide. Where a claim needs all
of MNIST, it is read from the outputs that are stored in the notebook.
"""

import re
import types

import numpy as np
import pytest
import stand_ins
from scipy import stats

from conftest import (
    cells_of,
    converter,
    notebook_cells,
    prose_of,
    run_cells,
    tutorial,
)
from helpers import (
    c_files,
    c_templates,
    camera,
    figures,
    integer_arithmetic,
    photograph,
    processors,
    quantization,
    report,
    tflite,
    training,
)
from helpers.files import quiet

with quiet():
    import tensorflow as tf


@pytest.fixture
def small(sample):
    """Return names that notebook 4's cells use, for the first images of the sample."""
    scale = np.float32(128)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return {
        "tf": tf,
        "data": sample,
        "pixel_scale": 128.0,
        "train_images": sample["train_images"][500:],
        "train_labels": sample["train_labels"][500:],
        "validation_images": sample["train_images"][:500] / scale,
        "validation_labels": sample["train_labels"][:500],
        "loss_function": loss,
        "model": tutorial(),
        "camera": camera,
        "figures": figures,
        "training": training,
    }


@pytest.fixture(autouse=True)
def no_windows(monkeypatch):
    monkeypatch.setattr(figures, "table", lambda columns, rows: None)


# Notebook 3.


def test_two_layers_equal_one_unless_there_is_a_relu_between_them(capsys):
    run_cells(notebook_cells(3, "two-layers"))
    without, with_relu = capsys.readouterr().out.splitlines()
    assert without.endswith("True") and with_relu.endswith("False")


# Notebook 4.


def one_weight():
    return run_cells(notebook_cells(4, "one-weight"))


@pytest.mark.parametrize(
    ("rate", "steps", "arrives"),
    [(0.005, 10, False), (0.05, 20, True), (0.25, 20, True), (0.142, 1, True)],
)
def test_gradient_descent_arrives_where_the_page_says_so(rate, steps, arrives):
    page = one_weight()
    w = 0.0
    for _ in range(steps):
        w = w - rate * page["gradient"](w, page["x"], page["y"])
    bottom = (page["x"] @ page["y"]) / (page["x"] @ page["x"])  # where the slope is 0
    assert (abs(w - bottom) < 0.03) == arrives


def test_gradient_is_the_slope_of_the_loss():
    page = one_weight()
    x, y = page["x"], page["y"]
    rise = page["loss"](1.0005, x, y) - page["loss"](0.9995, x, y)
    assert page["gradient"](1.0, x, y) == pytest.approx(rise / 0.001, rel=1e-6)


def test_large_learning_rate_jumps_higher_each_time():
    page = run_cells(notebook_cells(4, "zigzag"), **one_weight())
    losses = [page["loss"](w, page["x"], page["y"]) for w in page["path"]]
    assert np.all(np.diff(losses) > 0)
    assert np.all(np.diff(np.sign(np.diff(page["path"]))) != 0)  # to and fro


def test_untrained_loss_is_ln_10_only_if_pixels_are_divided(small):
    page = run_cells(notebook_cells(4, "untrained-loss"), **small)
    assert page["loss_divided"] == pytest.approx(np.log(10), abs=0.1)
    assert page["loss_undivided"] > 20


def test_nudged_weight_changes_the_loss_by_its_slope(small):
    images = small["train_images"][:1000] / np.float32(128)
    small["first"] = images
    small["first_labels"] = small["train_labels"][:1000]
    weights = small["model"].get_weights()
    page = run_cells(notebook_cells(4, "nudge"), **small)
    slope = page["filter_slopes"][page["steepest"]]
    assert page["change"] / page["nudge"] == pytest.approx(slope, rel=0.05)
    assert page["change_by_w"] / page["nudge"] == pytest.approx(-24, abs=0.05)
    assert page["change_by_v"] / page["nudge"] == pytest.approx(-4, abs=0.05)
    for before, after in zip(weights, small["model"].get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)  # it was put back


def test_network_on_500_images_learns_them_by_heart(small):
    small["plt"] = pytest.importorskip("matplotlib.pyplot")
    cells = notebook_cells(4, "experiment") + notebook_cells(4, "overfitting")
    page = run_cells(cells, **small)
    small["plt"].close("all")
    loss = page["overfitted"]["val_loss"]
    assert page["own"] > 0.99 and page["others"] < 0.95
    assert min(loss) < 0.9 * loss[-1]  # it fell, and rose again


def one_epoch(small, *tags):
    """Run the cells that train two networks for one epoch, and those of `tags`."""
    # As many images as on the page; each is varied anew.
    small["train_images"] = np.tile(small["train_images"], (3, 1, 1, 1))
    small["train_labels"] = np.tile(small["train_labels"], 3)
    cells = notebook_cells(4, "pipeline")[:1]  # random_contrast
    for tag in ("experiment", "one-epoch", *tags):
        cells += notebook_cells(4, tag)
    return run_cells(cells, **small)


def test_network_that_saw_varied_images_reads_more_shifted_ones(small):
    page = one_epoch(small)
    (_, normal, shifted), (_, varied_normal, varied_shifted) = page["rows"]
    assert abs(percent(normal) - percent(varied_normal)) < 5
    assert percent(varied_shifted) > percent(shifted) + 20


def test_undivided_pixels_are_read_worse_after_as_many_steps(small):
    page = one_epoch(small, "undivided")
    _, normal, _ = page["rows"][0]
    assert 30 < 100 * page["on_undivided"] < percent(normal) - 3


def test_ten_steps_on_batches_get_further_than_one_on_all(capsys):
    page = one_weight()
    batches = run_cells(notebook_cells(4, "batches-of-10"), **page)
    assert f"batches of 10: w {batches['w']:.2f}" in capsys.readouterr().out
    bottom = (page["x"] @ page["y"]) / (page["x"] @ page["x"])
    at_once = -0.05 * page["gradient"](0.0, page["x"], page["y"])
    assert abs(batches["w"] - bottom) < 0.3 * abs(at_once - bottom)


def test_best_epoch_is_counted_from_1(capsys):
    history = {"val_accuracy": [0.9, 0.95, 0.94]}
    run_cells(notebook_cells(4, "best-epoch"), history=history, epochs=3)
    told = capsys.readouterr().out
    assert "best epoch on the validation images: 2 of 3\n" in told
    assert "kept: 94.00 % of the validation images" in told


class Logits:
    """A model that has these logits ready."""

    def __init__(self, logits):
        self.logits = logits

    def predict(self, images, **options):
        return self.logits


def test_right_answers_on_the_test_images_are_counted(capsys):
    digits = np.array([3, 1, 4, 1])
    run_cells(
        notebook_cells(4, "test-accuracy"),
        model=Logits(np.eye(10)[digits]),
        test_images=None,
        data={"test_labels": np.array([3, 1, 4, 5])},
        report=report,
    )
    assert capsys.readouterr().out == "3 of 4 correct (75.0 %)\n"


def percent(text):
    """Return the number of a text such as ``97.1 %``."""
    return float(text.removesuffix(" %"))


# Notebook 5.


def stored(number, tag):
    """Return the text that a tagged cell of notebook `number` has stored."""
    for cell in cells_of(number):
        if tag in cell.metadata.get("tags", []) and cell.outputs:
            output = cell.outputs[0]
            return output.get("text") or output["data"]["text/plain"]
    raise AssertionError(f"no output is stored for {tag}")


@pytest.fixture(scope="module")
def quantized(sample, trained, models):
    """Return names that notebook 5's cells use, for a model trained on the sample."""
    deployed = quantization.deployed_graph(trained())
    names = {
        "tf": tf,
        "data": sample,
        "pixel_scale": 128.0,
        "deployed": deployed,
        "converter": converter(deployed, sample["train_images"]),
        "candidate": models(),
        "calibration_data": sample["train_images"][:100] / np.float32(128),
        "convolutions": [layer for layer in trained().layers if "conv" in layer.name],
        "figures": figures,
        "integer_arithmetic": integer_arithmetic,
        "quantization": quantization,
        "report": report,
        "tflite": tflite,
    }
    return run_cells(notebook_cells(5, "judged"), **names)


def shares_in(texts):
    """Return the numbers that stand in brackets as a share, such as ``(97.1 %)``."""
    return [float(share) for share in re.findall(r"\(([\d.]+) %\)", " ".join(texts))]


def test_rounding_moves_a_weight_by_half_a_step_at_most():
    weights = np.random.default_rng(0).normal(0, 0.1, 1000)
    page = run_cells(notebook_cells(5, "rounding"), weights=weights)
    assert page["largest_error"] / page["scale"] == pytest.approx(0.5, abs=0.01)


def test_odd_zero_point_cuts_large_weights_and_no_others():
    weights = np.linspace(-1, 1, 1001)
    page = run_cells(notebook_cells(5, "rounding"), weights=weights)
    bytes_i8 = page["quantize"](weights, page["scale"], 30)
    error = np.abs(page["dequantize"](bytes_i8, page["scale"], 30) - weights)
    is_large = weights > 97.5 * page["scale"]
    assert error[~is_large].max() < 0.51 * page["scale"]
    assert error[is_large].max() > 20 * page["scale"]


def test_bad_calibration_ruins_the_model_without_an_error(quantized):
    page = run_cells(notebook_cells(5, "bad-calibration"), **quantized)
    shares = shares_in(row[1] for row in page["rows"])
    good, ones, _, twice = shares  # with 0 to 255 it depends on the training
    assert abs(good - ones) < 2
    assert twice < 30
    scales = [float(row[2]) for row in page["rows"]]
    assert scales == pytest.approx([1 / 128, 1 / 128, 1, 1 / 128**2], rel=0.02)
    # The digit 1 alone: the range of the logits is about half as wide.
    usual = logits_scale(page["candidate"])
    narrow = logits_scale(page["models"]["only the digit 1"])
    told = [float(row[3]) for row in page["rows"][:2]]
    assert told == pytest.approx([usual, narrow], abs=0.0005)
    assert 0.35 < narrow / usual < 0.75
    # Divided twice: most images get the same answer.
    scores = tflite.LiteRT(page["models"]["divided twice"]).run(page["judged_i8"])
    assert np.bincount(scores.argmax(axis=1)).max() > 500


def logits_scale(model_bytes):
    """Return the scale of a model's logits: what its softmax gets."""
    model = tflite.read(model_bytes)
    return model.tensors[model.operators[-1].inputs[0]].scale


def test_stored_calibrations_are_as_bad_as_the_page_says():
    good, ones, raw, twice = shares_in([stored(5, "bad-calibration")])
    assert abs(good - ones) < 0.5 and raw < 80 and twice < 20


def test_converting_again_leaves_the_converter_as_it_was(quantized, sample):
    own_converter = quantized["converter"]
    before = own_converter.convert()
    dataset = own_converter.representative_dataset  # TensorFlow has wrapped it
    black = np.full((5, 28, 28, 1), -1, np.float32)
    assert quantization.convert_with(own_converter, black) != before
    assert own_converter.representative_dataset is dataset
    assert own_converter.convert() == before


def test_bytes_of_the_model_are_those_of_its_weights_and_biases(quantized, trained):
    page = run_cells(
        notebook_cells(5, "model-bytes"),
        tflite=tflite,
        candidate=quantized["candidate"],
    )
    weights = [array for array in trained().get_weights() if array.ndim > 1]
    biases = [array for array in trained().get_weights() if array.ndim == 1]
    assert page["weight_bytes"] == sum(array.size for array in weights)
    assert page["bias_bytes"] == 4 * sum(array.size for array in biases)


def test_bytes_of_scales_are_twelve_for_each():
    two = tflite.Tensor(0, "", "int8", (2,), np.ones(2), np.zeros(2), None)
    one = tflite.Tensor(1, "", "int8", (2,), np.ones(1), np.zeros(1), None)
    model = tflite.Model((), (two, one), two, one)
    reader = types.SimpleNamespace(read=lambda candidate: model)
    cells = notebook_cells(5, "model-bytes")
    page = run_cells(cells, tflite=reader, candidate=b"")
    assert page["scale_bytes"] == 3 * (4 + 8)  # float32, and int64 in the schema


def test_error_of_a_layer_is_the_share_of_its_signal():
    real = np.array([0.0, 10.0, 20.0])
    pairs = [(real, 1.02 * real)]
    page = run_cells(notebook_cells(5, "layer-errors"), pairs=pairs)
    assert page["errors"] == pytest.approx([2.0])


def test_six_bits_are_enough_and_two_are_not(quantized):
    page = run_cells(notebook_cells(5, "bits"), **quantized)
    eight, six, four, three, two = page["shares"]
    assert eight > 90 and abs(eight - six) < 1.5
    assert six > four > three > two
    assert three < eight - 5 and two < 50


def test_simulated_eight_bits_answer_as_the_int8_model(quantized):
    images = quantized["judged_i8"]
    simulated = quantization.scores_with_bits(
        quantized["deployed"], images, 128.0, quantized["calibration_data"], 8
    ).argmax(axis=1)
    answers = tflite.LiteRT(quantized["candidate"]).run(images).argmax(axis=1)
    assert np.mean(simulated == answers) > 0.99


@pytest.mark.parametrize("bits", [2, 4])
def test_rounded_weights_of_a_channel_have_as_many_values_as_the_bits_allow(bits):
    kernel = np.random.default_rng(0).normal(0, [1.0, 0.1], (5, 5, 8, 2))
    rounded = quantization.round_weights(kernel.astype(np.float32), bits)
    for channel in range(2):
        values = np.unique(rounded[..., channel])
        largest = np.abs(kernel[..., channel]).max()
        expected = np.arange(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1))
        expected = expected * largest / expected[-1]
        assert set(np.round(values, 5)) <= set(np.round(expected, 5).astype(np.float32))
        assert len(values) > 2 and 0 in values


@pytest.mark.parametrize("bits", [2, 3])
def test_activations_have_no_more_values_than_the_bits_allow(quantized, bits):
    scores = quantization.scores_with_bits(
        quantized["deployed"],
        quantized["judged_i8"][:100],
        128.0,
        quantized["calibration_data"],
        bits,
    )
    assert scores.shape == (100, 10)
    assert 2 <= len(np.unique(scores)) <= 2**bits


def test_scale_for_each_channel_rounds_no_channel_worse(quantized):
    page = run_cells(notebook_cells(5, "per-channel"), **quantized)
    one = page["rounding_error"](page["one_scale"])
    own = page["rounding_error"](page["own_scales"])
    assert np.all(own <= one * 1.1) and own.mean() < 0.9 * one.mean()


def test_a_handful_of_activations_takes_a_fifth_of_the_range():
    many, of = re.findall(r"[\d,]+", stored(5, "outliers"))[:2]
    assert 0 < int(many.replace(",", "")) < 0.001 * int(of.replace(",", ""))


def test_byte_by_hand_is_the_byte_of_the_runtime():
    by_hand, runtime = re.findall(r": (-?\d+)$", stored(5, "by-hand"), re.M)
    assert by_hand == runtime


# Notebook 6.


SCORES = np.array([[9, 1, 0], [5, 6, 0], [0, 1, 9], [0, 1, 9]], np.int8)


class Named:
    name = "a runtime"


def test_right_answers_of_the_int8_model_are_counted(capsys):
    run_cells(
        notebook_cells(6, "right-answers"),
        scores=SCORES,
        test_labels=np.array([0, 1, 2, 0]),
        tflm=Named,
        report=report,
    )
    assert capsys.readouterr().out == "a runtime: 3 of 4 correct (75.0 %)\n"


def test_differences_of_the_runtimes_are_counted(capsys):
    others = SCORES.copy()
    others[0] -= np.int8([1, 1, 0])
    others[1] = [6, 5, 0]
    run_cells(
        notebook_cells(6, "runtimes-differ"),
        scores=SCORES,
        answers=SCORES.argmax(axis=1),
        litert_scores=others,
    )
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "scores that differ:  4 of 12",
        "answers that differ: 1 of 4",
    ]


def test_table_of_programs_has_what_they_take():
    ran = processors.ProcessorRun(
        processor="cortex-m3",
        flash_bytes=19_000,
        static_bytes=1000,
        stack_bytes=180,
        used_bytes=1974,
        instructions=880_000,
        logits=None,
    )
    results = stand_ins.report(10_000, 9905, 9900)
    page = run_cells(
        notebook_cells(6, "programs"), emulated=[ran], results=results, figures=figures
    )
    assert page["rows"] == [
        ["plain C, cortex-m3", 19_000, 1974, "880,000"],
        ["interpreter", "24,784 and its code", 9920, "not measured"],
    ]


def error_rate():
    return run_cells(notebook_cells(6, "error-rate"), stats=stats)["error_rate"]


@pytest.mark.parametrize(("correct", "images"), [(1980, 2000), (640, 1000), (10, 10)])
def test_error_rate_has_the_interval_of_wilson(correct, images):
    share = 1 - correct / images
    normal = 1.959964  # 95 % of a normal distribution lie within
    middle = (share + normal**2 / (2 * images)) / (1 + normal**2 / images)
    spread = np.sqrt(share * (1 - share) / images + normal**2 / (4 * images**2))
    half = normal * spread / (1 + normal**2 / images)
    expected = [100 * share, 100 * (middle - half), 100 * (middle + half)]
    assert error_rate()(correct, images) == pytest.approx(expected, abs=1e-4)


def test_stored_interval_of_the_sample_contains_the_rate_of_all_images():
    text = stored(6, "error-rate-of-sample")
    low, high = re.search(r"interval: ([\d.]+) to ([\d.]+) %", text).groups()
    everything = re.search(r"all [\d,]+ images: ([\d.]+) % wrong", text)[1]
    assert float(low) < float(everything) < float(high)


def test_camera_series_are_the_counts_of_each_network():
    results = [
        report.CameraResult("first", 90, 100),
        report.CameraResult("second", 80, 100),
    ]
    one_epoch = {"images": 50, "as they are": [30, 20], "varied": [40, 35]}
    page = run_cells(
        notebook_cells(6, "camera-series"),
        camera_results=results,
        trained={"one_epoch": one_epoch},
        error_rate=error_rate(),
    )
    shares = {}
    for name, rates in page["series"].items():
        shares[name] = np.transpose(rates)[0]
    assert shares["int8 model"] == pytest.approx([10, 20])
    assert shares["one epoch, varied"] == pytest.approx([20, 30])
    assert shares["one epoch, not varied"] == pytest.approx([40, 60])


def test_lost_and_gained_images_make_up_the_change():
    before, after = re.findall(r"([\d,]+) of", stored(6, "before-and-after"))
    lost, gained = re.findall(r"\d[\d,]*", stored(6, "lost-and-gained"))
    counts = [int(text.replace(",", "")) for text in [before, after, lost, gained]]
    assert counts[0] - counts[1] == counts[2] - counts[3]


def test_stored_errors_on_shifted_digits_halve_with_varied_images():
    found = re.findall(r": ([\d.]+) % wrong", stored(6, "camera-shifted"))
    int8, varied, not_varied = (float(text) for text in found)
    assert int8 < 10
    assert varied < 0.55 * not_varied


def test_sample_is_drawn_at_random_and_always_the_same():
    labels = np.arange(5000)
    images = labels[:, None]
    drawn, drawn_labels = camera.draw_sample(images, labels, 2000)
    again, _ = camera.draw_sample(images, labels, 2000)
    np.testing.assert_array_equal(drawn, again)
    np.testing.assert_array_equal(drawn[:, 0], drawn_labels)
    assert len(set(drawn_labels)) == 2000
    assert np.mean(drawn_labels) == pytest.approx(2500, abs=150)  # not the first ones
    first, _ = camera.draw_sample(images, labels, 1000)
    np.testing.assert_array_equal(first, drawn[:1000])  # those of both networks


def test_made_up_photograph_is_read_as_the_digit_that_it_shows(sample, candidate):
    page = run_cells(
        notebook_cells(6, "photograph"),
        photo="",
        photograph=photograph,
        test_images=sample["test_images"],
        tflm=candidate.runtime,
    )
    assert page["image_i8"].dtype == np.int8
    assert page["image_i8"].min() == -128  # dark paper
    assert page["photo_scores"].argmax() == sample["test_labels"][0]


def test_first_half_of_the_test_images_is_harder_in_the_stored_run():
    first, second = re.findall(r":\s+(\d+)", stored(6, "halves"))
    right = re.search(r": ([\d,]+) of 10,000", stored(6, "right-answers"))[1]
    assert int(first) > 1.3 * int(second)
    assert int(first) + int(second) == 10_000 - int(right.replace(",", ""))


def test_python_beside_the_c_is_that_of_notebook_5():
    code = "\n".join(cell.source for cell in cells_of(5) if cell.cell_type == "code")
    fences = re.findall(r"```python\n(.*?)```", prose_of(6), re.S)
    python = [fence for fence in fences if "accumulator" in fence]
    assert len(python) == 2
    for line in "".join(python).splitlines():
        assert line in code


@pytest.mark.parametrize("name", ["one_window", "multiply"])
def test_function_of_a_c_file_is_shown_whole(name):
    engine = (c_templates.FOLDER / "cnn_int8.c").read_text(encoding="utf-8")
    shown = c_files.function(engine, name)
    assert shown in engine
    assert shown.startswith("// ")
    assert shown.endswith("\n}")
    assert shown.count("{") == shown.count("}")
    assert f" {name}(" in shown


def test_stored_logits_of_the_plain_c_are_all_those_of_tflm():
    lines = stored(6, "plain-c").splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "plain C, this computer",
        "plain C, cortex-m3",
        "plain C, cortex-m0",
    ]
    assert all(": All " in line and "logits are those of" in line for line in lines)
