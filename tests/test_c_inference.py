"""The network as plain C gives TFLM's logits, here and on emulated boards."""

import functools
import json
import os
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from conftest import need
from helpers import c_files, c_inference, figures, runs, tflite
from helpers import integer_arithmetic as ia
from helpers import report as reports
from helpers.files import TutorialError

NAME = "mnist-cnn"  # the function is mnist_cnn_int8_classify
STRICT = ["-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion"]
CHECKED = [*STRICT, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
C99, CPP17 = ["gcc", "-std=c99", *CHECKED], ["g++", "-std=c++17", *CHECKED]
IMAGE = np.zeros((1, 28, 28, 1), np.int8)
CONV, DENSE = "tutorial-conv-0", "tutorial-dense-1"  # network, head and seed
COMPACT, COMPACT_DENSE = "compact-conv-0", "compact-dense-0"
LIMITS = {  # bytes of flash and of RAM, instructions an image on the Cortex-M3
    CONV: (19_968, 2_600, 1_600_000),
    COMPACT: (16 << 10, 7_600, 6_000_000),
}
RUNS = [  # network, language, and how many images at most
    (CONV, "C99", 10_000),
    (DENSE, "C99", 10_000),
    (COMPACT, "C99", 2_000),
    pytest.param(COMPACT_DENSE, "C99", 10_000, marks=pytest.mark.slow),
    (CONV, "C++17", 500),
    (COMPACT_DENSE, "C++17", 500),
]


@pytest.fixture(scope="session")
def images(sample):
    """Return all test images, of MNIST where MNIST_NPZ is set, else of the sample."""
    if not os.environ.get("MNIST_NPZ"):
        return sample["test_images"]
    with np.load(os.environ["MNIST_NPZ"]) as arrays:
        return (arrays["x_test"] ^ 0x80).view(np.int8)[..., None]


@pytest.fixture(scope="session")
def network(models, images):
    """Return a function to a network's C source, images and TFLM's logits."""

    @functools.cache
    def get(key, count):
        network, head, seed = key.split("-")
        runtime = tflite.TFLM(models(network, head, int(seed)))
        layers = ia.layers(runtime.model)
        source = c_files.inference_source(NAME, layers, ["About */ \\", "??/"])
        logits = [
            runtime.tensors(block)[layers[-1].tensor].reshape(-1, 10)
            for block in np.split(images[:count], range(500, len(images[:count]), 500))
        ]
        return source, images[:count], np.concatenate(logits)

    return get


def _differing(found, expected):
    assert found.shape == expected.shape
    return int((found != expected).sum())


@pytest.mark.tflm
@pytest.mark.parametrize(("key", "language", "count"), RUNS)
def test_compiled_source_gives_the_logits_of_tflm(network, key, language, count):
    compiler = C99 if language == "C99" else CPP17
    need(compiler[0], compiler[0], linux_only=True)  # others may lack a sanitizer
    source, images, logits = network(key, count)
    found = c_inference.run_on_pc(NAME, source, images, compiler)
    assert _differing(found, logits) == 0


@pytest.mark.tflm
@pytest.mark.parametrize("key", [CONV, COMPACT])
@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_boards_give_the_logits_of_tflm_in_little_memory(network, key, count, capsys):
    if c_inference.missing_tools():
        pytest.skip(c_inference.missing_tools())
    source, images, logits = network(key, count)
    flash, ram, instructions = LIMITS[key]
    # Boards of just that size: the linker refuses more, and the stack has to fit, too.
    boards = [(*board, flash, ram + 472) for *board, _, _ in c_inference.BOARDS]
    for run in c_inference.run_on_boards(NAME, source, images, boards):
        differ = _differing(run.logits, logits)
        figures = f"{run.flash_bytes:,} bytes of flash, {run.ram_bytes:,} of RAM, "
        figures += f"{run.instructions:,} instructions an image; {differ} of "
        with capsys.disabled():
            print(f"\n{key}, {run.processor}: {figures}{logits.size:,} logits differ")
        assert differ == 0
        assert run.flash_bytes <= flash
        assert run.ram_bytes <= ram
        assert run.instructions <= instructions or run.processor != "cortex-m3"


def _random_layers(seed):
    """Return layers of odd shapes, some of their numbers as extreme as is allowed."""
    rng, found, shape, zero_point = np.random.default_rng(seed), [], (28, 28, 1), -1
    windows = (8, 3, 4), (9, 4, 2), (8, 2, 5), (10, 4, 3)  # filters, height, width
    for pool, (filters, height, width) in zip((1, 0, 1, 0), windows, strict=True):
        sides = [shape[0] - height + 1, shape[1] - width + 1]
        output = (*(side // (1 + pool) for side in sides), filters)
        weights = rng.integers(-128, 128, (filters, height, width, shape[2]), np.int8)
        weights[2] //= 64
        bias = rng.integers(-9999, 9999, filters)
        bias[:2] = 2**30, -(2**30)  # as of dead filters
        multiplier = rng.integers(2**30, 2**31, filters)
        shift = -rng.integers(8, 11, filters)
        shift[:3] = -20, -31, 3
        ends = zero_point, int(rng.choice([-128, -30, 0, 30]))
        rest = ends[1] if seed % 2 else -128, bool(pool), shape, output, 0
        found.append(ia.Layer(weights, bias, multiplier, shift, *ends, *rest))
        shape, zero_point = output, ends[1]
    return found


@pytest.mark.parametrize("seed", range(4))
def test_c99_on_random_networks_gives_the_integers_of_numpy(seed):
    need("gcc", "gcc", linux_only=True)
    layers, size = _random_layers(seed), (50, 28, 28, 1)
    images = np.random.default_rng(seed).integers(-128, 128, size, np.int8)
    expected = ia.run(layers, images)[-1].reshape(-1, 10)
    assert len(np.unique(expected)) > 9
    given = NAME, c_files.inference_source(NAME, layers, []), images, C99
    assert _differing(c_inference.run_on_pc(*given), expected) == 0


def test_source_that_could_overflow_is_refused():
    layer = _random_layers(0)[0]
    bias = np.array([2**31 - 1000, *layer.bias[1:]])
    with pytest.raises(TutorialError, match=r"A layer of 8 filters can reach 2,147,"):
        c_files.inference_source(NAME, [replace(layer, bias=bias)], [])


BROKEN = {
    "rounding": (r"-\(\(half - high\) >> right\)", "(high + half) >> right"),
    "single rounding": (r"product >= 0 \? quarter : 1 - quarter", "0"),
    "swapped multiplier": (r"(multiplier_2\[16\] = {\s+)(\d+), (\d+),", r"\1\3, \2,"),
    "zero point": (r"(layer_3 = {[^}]+), (-?\d+), -128}", r"\1, (\2) + 1, -128}"),
    "bias": (r"sum \+ layer->bias\[filter\]", "sum"),
    "lowest": (r"(layer_1 = {[^}]+), -128}", r"\1, -127}"),
}


@pytest.mark.tflm
@pytest.mark.parametrize("broken", BROKEN)
def test_broken_c_gives_other_logits(network, broken):
    need("gcc", "gcc")
    source, images, logits = network(CONV, 500)
    source, count = re.subn(*BROKEN[broken], source)
    assert count == 1
    assert _differing(c_inference.run_on_pc(NAME, source, images), logits) > 0


def test_without_compilers_there_is_a_sentence_and_no_error(monkeypatch, tmp_path):
    (tmp_path / "cc").write_text("#!/bin/sh\necho Install me. >&2\nexit 1\n")
    (tmp_path / "cc").chmod(0o755)
    for path in ("", str(tmp_path)):
        monkeypatch.setenv("PATH", path)
        assert c_inference.run_on_pc(NAME, "", IMAGE) is None
    assert c_inference.run_on_boards(NAME, "", IMAGE) == []
    assert "apt install gcc-arm-none-eabi qemu" in c_inference.missing_tools()
    figures.table(["board", "processor"], [])  # as notebook 6 shows it then


def test_source_that_does_not_compile_or_end_is_one_sentence(monkeypatch):
    need("gcc", "gcc")
    source = c_files.inference_source(NAME, _random_layers(0), [])
    with pytest.raises(TutorialError, match=r"gcc, called to .* failed: .*error"):
        c_inference.run_on_pc(NAME, source.replace("best", "++", 1), IMAGE, ["gcc"])
    monkeypatch.setattr(c_inference, "_TIMEOUT", 2)
    endless = source.replace("int best = 0;", "int best = 0;\n  for (;;) {\n  }")
    with pytest.raises(TutorialError, match=r"program, called .*: .* timed out"):
        c_inference.run_on_pc(NAME, endless, IMAGE, ["gcc"])


@pytest.mark.tflm
def test_notebook_6_program_with_interpreter_compiles(candidate, tmp_path):
    # PyPI's tflite-micro has no C++ headers. What the program uses is declared in
    # tests/boards/tflm_stub/, so this checks the program and not TFLM.
    need("g++", "g++", linux_only=True)
    run, data, _, model_bytes, _, scores = candidate
    given = run.name, model_bytes, reports.make(*candidate, [], []), data, scores
    for path, content in c_files.published_files(*given).items():
        if "/" not in path:
            (tmp_path / path).write_bytes(content)
    notebook = runs.REPOSITORY / "notebooks" / "06_test_quantized_model.ipynb"
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    markdown = "".join("".join(cell["source"]) for cell in cells)
    [program] = re.findall(r"```cpp\n(.*?)```", markdown, re.S)
    main = "int main() { return ReadDigit(GoldenInput(0)) == -1 ? 7 : 0; }\n"
    (tmp_path / "main.cc").write_text(program + main)
    options = *CPP17, f"-I{c_inference.HARNESS / 'tflm_stub'}", "-o", "program"
    files = "main.cc", f"{run.name}_int8.cc"
    subprocess.run([*options, *files], cwd=tmp_path, check=True)
    # The stub answers with zeros, so the golden vectors fail and there is no digit.
    assert subprocess.run([tmp_path / "program"], check=False).returncode == 7
