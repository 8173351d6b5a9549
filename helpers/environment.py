"""Say in one sentence that this Python lacks the tutorial's packages.

The two commands import this first: without it a terminal in which the environment is
not active would name one missing module after another. Any Python since 3.6 must be
able to read it.
"""

import importlib.util
import os
import sys

PACKAGES = (
    "tensorflow",
    "ai_edge_litert",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "mlxtend",
    "papermill",
    "nbconvert",
    "jinja2",
    "tqdm",
    "filelock",
    "distributed",
    "ziglang",
    "unicorn",
    "serial",
    "PIL",
)


def missing_packages():
    """Return the names of the packages that this Python cannot import."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def sentence(missing):
    """Return what to do about packages that are missing."""
    names = ", ".join(missing[:3])
    if len(missing) > 3:
        names += f" and {len(missing) - 3} more packages"
    python = ".venv\\Scripts\\python" if os.name == "nt" else ".venv/bin/python"
    return (
        f"This Python, {sys.executable}, lacks {names}; use the tutorial's own, "
        f"{python} instead of python, or install what is missing into this one: "
        "python -m pip install -r requirements.txt."
    )


if missing_packages():
    sys.exit(sentence(missing_packages()))
