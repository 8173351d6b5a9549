"""Networks that no one trained, and programs that tests make of the plain C."""

import subprocess

import numpy as np

from helpers import c_files, c_templates
from helpers import integer_arithmetic as ia

STRICT = ["-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion"]
CHECKED = [*STRICT, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
C99 = ["gcc", "-std=c99", *CHECKED]
CPP17 = ["g++", "-x", "c++", "-std=c++17", *CHECKED]
TIMEOUT = 300  # seconds, for a program that does not end
NAME = "mnist-cnn"  # the functions are mnist_cnn_int8_…


def random_layer(rng, shape, filters, window, pool, with_relu):
    """Return a layer for an input of `shape`, some numbers as extreme as is allowed."""
    height, width = window
    block = 2 if pool else 1
    rows = (shape[0] - height + 1) // block
    columns = (shape[1] - width + 1) // block
    weights = rng.integers(-128, 128, (filters, height, width, shape[2]), np.int8)
    # The sums of a window spread so far; rescaled, they fill more than an int8.
    spread = 74 * 74 * np.sqrt(weights[0].size)
    factor = rng.uniform(100, 200, filters) / spread
    multiplier, shift = ia.quantize_multiplier(factor)
    bias = rng.integers(-spread / 2, spread / 2, filters)
    weights[0] = 127  # these four are as extreme as numbers may be
    bias[1:3] = 2**30, -(2**30)  # as of dead filters
    shift[1:3] = -31, -20
    multiplier[2:4] = 2**31 - 1, 2**30
    weights[3] = rng.integers(-1, 2, weights[3].shape)
    bias[3] = 5
    shift[3] = 3
    zero_point = int(rng.choice([-60, -10, 0, 20]))
    return ia.Layer(
        weights=weights,
        bias=bias,
        multiplier=multiplier,
        shift=shift,
        input_zero_point=int(rng.choice([-128, -10, 0, 30, 127])),
        output_scale=1 / 32,
        output_zero_point=zero_point,
        lowest=zero_point if with_relu else -128,
        pool=pool,
        input_shape=shape,
        output_shape=(rows, columns, filters),
        tensor=0,
    )


def random_network(seed):
    """Return the layers of a network for 28×28 images, with windows of odd shapes."""
    rng = np.random.default_rng(seed)
    layers = []
    shape = (28, 28, 1)
    for pool in (True, False, True, False):
        filters = int(rng.integers(5, 10))
        height, width = rng.integers(1, 5, 2).tolist()
        layers.append(
            random_layer(rng, shape, filters, (height, width), pool, seed % 2 == 1)
        )
        shape = layers[-1].output_shape
    for filters in (11, 10):  # as dense layers are
        layers.append(random_layer(rng, shape, filters, shape[:2], False, False))
        shape = layers[-1].output_shape
    return layers


def random_images(count, seed=0):
    """Return int8 images of noise, the first and the second of the extreme values."""
    images = np.random.default_rng(seed).integers(
        -128, 128, (count, 28, 28, 1), np.int8
    )
    images[0] = -128
    images[1] = 127
    return images


def write(files, folder):
    """Write published files to a folder."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def call(folder, command, given=b""):
    """Run a command in a folder; return what it prints, and fail if it fails."""
    command = [str(part) for part in command]
    options = {"input": given, "capture_output": True, "timeout": TIMEOUT}
    done = subprocess.run(command, cwd=folder, **options)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def run(folder, files, images_i8, compiler, name=NAME):
    """Compile the plain C with a command and return its logits of images."""
    write(files, folder)
    function = f"{c_templates.c_name(name)}_classify"
    command = [*compiler, "-I.", "-include", f"{name}_int8_inference.h"]
    command += [f"-DCLASSIFY={function}", "-DIMAGE_BYTES=784", "-DLOGITS=10"]
    command += [path for path in files if path.endswith(".c") and "/" not in path]
    command += [c_templates.FOLDER / "run_images.c", "-o", "program"]
    call(folder, command)
    printed = call(folder, ["./program"], given=images_i8.tobytes())
    return np.frombuffer(printed, np.int8).reshape(-1, 10)


def logits(layers, images_i8):
    """Return what the integer arithmetic in NumPy answers."""
    return ia.run(layers, images_i8)[-1].reshape(-1, 10)


def plain_c(layers):
    """Return the files of the plain C of a network named `NAME`."""
    return c_files.plain_c_files(NAME, layers, ["About */ \\", "??/"])
