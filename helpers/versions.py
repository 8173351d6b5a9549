"""What results depend on besides data and parameters."""

import os
import platform
from importlib import metadata

LIBRARIES = ("tensorflow", "keras", "ai-edge-litert", "tflite-micro", "numpy")


def versions():
    """Return the versions and facts of this computer that results depend on.

    Returns
    -------
    dict
        Versions of Python and the libraries, the processor's kind and the number of
        threads that TensorFlow computes with: other numbers of threads add up floats in
        another order.
    """
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS") or usable_cores()
    found = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": int(threads),
    }
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found


def libraries():
    """Return the versions that must be equal for results to compare.

    Returns
    -------
    dict of str to str
        Of Python (without the last part) and of the libraries.
    """
    found = versions()
    major, minor, _ = platform.python_version_tuple()
    return {"python": f"{major}.{minor}"} | {name: found[name] for name in LIBRARIES}


def usable_cores():
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
