"""Import nbformat and what stands on it in a third of the time."""

import contextlib
import sys

_GRAMMAR = "rfc3987_syntax"


@contextlib.contextmanager
def lean_imports():
    """Hide an optional part of jsonschema while nbformat is imported.

    If rfc3987_syntax is installed, jsonschema imports it, and that builds a parser for
    addresses with international characters, which takes most of a second. Notebooks
    have no such addresses, and jsonschema does without where it is missing.
    """
    hidden = _GRAMMAR not in sys.modules
    if hidden:
        sys.modules[_GRAMMAR] = None  # makes `import` raise ImportError
    try:
        yield
    finally:
        if hidden:
            del sys.modules[_GRAMMAR]
