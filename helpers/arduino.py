"""A sketch for the Arduino IDE that runs the published network.

The sketch is ``helpers/c/arduino/read_digit.ino``, the same for every model. Beside it
lie ``model.h``, which names the model, and copies of the published C. The IDE wants all
of them in one folder, which has the name of the ``.ino`` file.
"""

from helpers import c_templates

# The "Sketch specification" (arduino.github.io/arduino-cli) allows all characters that
# a run's name may have, but one fewer of them.
_LONGEST_NAME = 63

SKETCH_BYTES = 450  # of memory for serial port, variables and stack, beside the network


def sketch_files(name, files, model_sha256, image_i8, logits_i8):
    """Return by path, such as ``arduino/mnist_cnn/mnist_cnn.ino``, the sketch's bytes.

    `files` are the published files by path, of which the plain C is copied.
    `model_sha256` is that of the ``.tflite`` file; the sketch greets with it. It tests
    itself with `image_i8`, 784 int8 pixels, and the ten int8 logits of this image.
    """
    folder = sketch_folder(name)
    header = c_templates.render(
        "arduino/model.h.j2",
        name,
        sha256=model_sha256,
        image=image_i8,
        logits=logits_i8,
    )
    source = c_templates.FOLDER / "arduino" / "read_digit.ino"
    found = {
        sketch_path(name): source.read_bytes(),
        f"{folder}/model.h": header.encode(),
    }
    for path in c_names(name):
        found[f"{folder}/{path}"] = files[path]
    return found


def sketch_folder(name):
    """Return the path in ``published/`` of the folder of a run's sketch."""
    return f"arduino/{name[:_LONGEST_NAME]}"


def sketch_path(name):
    """Return the path in ``published/`` of a run's sketch itself."""
    return f"{sketch_folder(name)}/{name[:_LONGEST_NAME]}.ino"


def c_names(name):
    """Return the names of the published C files that a program for a board needs."""
    stem = f"{name}_int8_inference"
    return [*c_templates.ENGINE, f"{stem}.c", f"{stem}.h"]
