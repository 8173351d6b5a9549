"""Settings of all tests: the notebooks under nbval, and the unit tests in tests/.

No test touches the runs of whoever starts it: what is written goes into a temporary
folder.
"""

import os
import shutil
import tempfile

_BEFORE = os.environ.get("ARTIFACTS_DIR")


def pytest_configure(config):
    os.environ["ARTIFACTS_DIR"] = tempfile.mkdtemp(prefix="artifacts-of-tests-")


def pytest_unconfigure(config):
    shutil.rmtree(os.environ.pop("ARTIFACTS_DIR"), ignore_errors=True)
    if _BEFORE:
        os.environ["ARTIFACTS_DIR"] = _BEFORE
