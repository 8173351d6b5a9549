"""What the six notebooks share: one idea a file; README.md says which file has which.

Importing the package only sets what TensorFlow and Keras read when they are imported.
"""

import os

# One thread for each operation is enough for a network as small as this, and makes
# results independent of the number of cores.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_USE_LEGACY_KERAS"] = "0"
