"""Silence: what native code says is held back, and shown when something fails."""

import os
import subprocess
import sys

import pytest

from helpers.quiet import quiet


def said(code, **environment):
    """Run code in a process of its own; return what reached its two streams."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys\nfrom helpers.quiet import quiet\n" + code,
        ],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    return done.stdout, done.stderr


def test_everything_inside_is_held_back_and_everything_outside_is_not():
    code = """
print("before")
with quiet():
    print("python"); print("python", file=sys.stderr)
    os.write(1, b"native"); os.write(2, b"native")
    os.system("echo child")
    import warnings; warnings.warn("a warning")
print("after"); os.write(1, b"native after")
"""
    output, errors = said(code, PYTHONUNBUFFERED="1")
    assert output == "before\nafter\nnative after"
    assert errors == ""


@pytest.mark.parametrize("error", ["ValueError('why')", "KeyboardInterrupt()"])
def test_what_was_held_back_is_shown_when_the_block_raises(error):
    code = f"with quiet():\n    os.write(2, b'the reason')\n    raise {error}"
    output, errors = said(code)
    assert output == ""
    assert errors.startswith("the reason")


def test_blocks_may_lie_inside_each_other():
    code = """
with quiet():
    with quiet():
        os.write(1, b"inner")
    os.write(1, b"outer")
print("after")
"""
    assert said(code) == ("after\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors: run on Linux")
def test_no_descriptor_is_left_open():
    code = """
import tempfile
def count(): return len(os.listdir("/proc/self/fd"))
before = count()
for number in range(20):
    try:
        with quiet():
            if number % 2:
                raise KeyError
    except KeyError:
        pass
print(before == count())
"""
    assert said(code)[0] == "True\n"


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors: run on Linux")
def test_program_without_a_terminal_works():
    code = """
os.close(1); os.close(2)
with quiet():
    done = True
assert done
os._exit(7 if done else 8)
"""
    done = subprocess.run(
        [sys.executable, "-c", "import os\nfrom helpers.quiet import quiet\n" + code]
    )
    assert done.returncode == 7


def test_bytes_that_are_no_text_are_shown_all_the_same():
    code = "with quiet():\n    os.write(2, b'\\xff\\xfe half')\n    raise ValueError"
    assert "half" in said(code)[1]


def test_in_a_notebook_streams_of_python_are_held_back(capsys):
    with quiet():
        print("hidden")
        print("hidden", file=sys.stderr)
    print("shown")
    assert capsys.readouterr() == ("shown\n", "")


@pytest.mark.slow
def test_import_of_tensorflow_and_a_conversion_say_nothing():
    code = """
with quiet():
    import tensorflow as tf
    model = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(2)])
    tf.lite.TFLiteConverter.from_keras_model(model).convert()
"""
    assert said(code) == ("", "")
