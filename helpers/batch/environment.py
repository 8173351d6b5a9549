"""The environment variables of the processes that a run starts."""

import os

from helpers.batch.orphans import PARENT
from helpers.paths import python_path


def environment(scratch):
    """Return the environment for a process that a run starts.

    Parameters
    ----------
    scratch : Path
        The run's scratch folder, where temporary files go: what a killed process
        leaves there is removed with it.

    Returns
    -------
    dict of str to str
    """
    temporary = scratch / "tmp"
    temporary.mkdir(exist_ok=True)
    return os.environ | {
        "PYTHONPATH": python_path(),
        "TMPDIR": str(temporary),
        "TMP": str(temporary),
        "TEMP": str(temporary),
        PARENT: str(os.getpid()),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # or the debugger warns at each start
    }
