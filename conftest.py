"""Settings of all tests: the notebooks under nbval, and those in tests/.

What tests write goes into a temporary folder, and their kernels and processes import
the helpers of this clone, whichever clone the environment was installed from.
"""

import os
import shutil
import tempfile
from pathlib import Path

FOLDER = str(Path(__file__).resolve().parent)


def pytest_configure(config):
    os.environ["ARTIFACTS_DIR"] = tempfile.mkdtemp(prefix="artifacts-of-tests-")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{FOLDER}{os.pathsep}{before}" if before else FOLDER


def pytest_unconfigure(config):
    shutil.rmtree(os.environ["ARTIFACTS_DIR"], ignore_errors=True)
