"""What the six notebooks share; each file is one idea, and README says which.

``import helpers`` is enough: ``helpers.figures`` and the others load on first use.
"""

import contextlib
import importlib.util
import os
import shutil
import tempfile

from helpers.parameters import TutorialError

# TensorFlow reads these at its import. One thread for each operation is enough for a
# network as small as this, and makes results independent of the number of cores.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "0"}


def __getattr__(name):
    if name.startswith("_") or importlib.util.find_spec(f"helpers.{name}") is None:
        raise AttributeError(f"module 'helpers' has no attribute {name!r}")
    return importlib.import_module(f"helpers.{name}")


@contextlib.contextmanager
def quiet():
    """Hold back what is printed inside the block; show it if the block fails.

    TensorFlow's C++ writes log lines to file descriptors 1 and 2, which Python's
    ``sys.stdout`` never sees. The block is given the file that holds all of it.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as held:
        saved = [os.dup(1), os.dup(2)]
        try:
            os.dup2(held.fileno(), 1)
            os.dup2(held.fileno(), 2)
            with contextlib.redirect_stdout(held), contextlib.redirect_stderr(held):
                yield held
        except BaseException:
            held.seek(0)
            os.write(saved[1], held.read().encode())
            raise
        finally:
            for descriptor, copy in enumerate(saved, start=1):
                os.dup2(copy, descriptor)
                os.close(copy)


@contextlib.contextmanager
def replacing(path):
    """Give a path to write to; it takes the place of `path` when the block ends well.

    A kill or a full disk leaves what was there or what is new, never half of one; a
    folder, a name without an ending, may wait aside for the next run. TutorialError
    says why the system refuses to write.
    """
    new = path.with_name(f".{path.stem}-{os.getpid()}-partial{path.suffix}")
    with explained(path):
        restore(path)
        _remove(new)  # of a killed process that had the same number
        try:
            if not path.suffix:
                new.mkdir()
            yield new
            if not path.suffix and path.exists():  # no folder can replace another
                os.rename(path, _aside(path))
            os.replace(new, path)
        finally:
            _remove(new)
            restore(path)


def restore(path):
    """Bring a folder back whose replacement ended between the two renames."""
    if _aside(path).exists() and not path.exists():
        os.rename(_aside(path), path)
    _remove(_aside(path))


@contextlib.contextmanager
def explained(path):
    """Turn an ``OSError`` inside the block into a sentence about `path`."""
    try:
        yield
    except OSError as error:
        raise TutorialError(
            f"Cannot write {path}: {error.strerror or error}; free some space, or name "
            "another folder in the environment variable ARTIFACTS_DIR (a sweep: --out)."
        ) from error


def _aside(path):
    return path.with_name(f".{path.name}.previous")


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
