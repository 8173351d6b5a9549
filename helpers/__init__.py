"""What the six notebooks share: one idea a file; README.md says which file has which.

Importing the package only sets what TensorFlow and Keras read when they are imported,
and ends a command that runs outside this tutorial's environment with one sentence.
"""

import importlib.util
import os
import sys

if importlib.util.find_spec("tensorflow") is None:
    sys.exit(
        f"TensorFlow is not installed for {sys.executable}; use the Python of this "
        "tutorial's environment instead, .venv/bin/python or on Windows "
        ".venv\\Scripts\\python, which README.md says how to make."
    )

# One thread for each operation is enough for a network as small as this, and makes
# results independent of the number of cores.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_USE_LEGACY_KERAS"] = "0"
