"""Hold back the log lines of native libraries, and show them when something fails."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def quiet():
    """Hold back everything written to file descriptors 1 and 2 inside the block.

    TensorFlow writes log lines from C++ while it is imported and while it converts a
    model; Python's ``sys.stdout`` never sees them. They are kept in a temporary file,
    dropped when the block ends well, and printed to ``stderr`` when it raises.
    Keras' progress bars and Python warnings raised inside the block are held back too.
    """
    # Must be set before the first import; it does no harm afterwards.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, contextlib.ExitStack() as restore:
        for descriptor in (1, 2):
            try:
                saved = os.dup(descriptor)
            except OSError:  # a program without a terminal, such as pythonw
                continue
            os.dup2(held.fileno(), descriptor)
            restore.callback(_put_back, saved, descriptor)
        try:
            with _python_streams_held(held):
                yield
        except BaseException:
            restore.close()
            held.seek(0)
            text = held.read().decode(errors="replace")
            if text.strip():
                print(text, file=sys.stderr)
            raise


def _put_back(saved, descriptor):
    os.dup2(saved, descriptor)
    os.close(saved)


@contextlib.contextmanager
def _python_streams_held(held):
    # In a notebook sys.stdout is not file descriptor 1: hold it back as well.
    with (
        open(os.dup(held.fileno()), "w", encoding="utf-8", buffering=1) as text,
        contextlib.redirect_stdout(text),
        contextlib.redirect_stderr(text),
    ):
        yield
