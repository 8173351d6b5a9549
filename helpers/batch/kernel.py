"""A kernel that has made its notebook's imports, ``python -m helpers.batch.kernel``.

Its sockets are bound first, so that no other program can take their ports meanwhile,
and the imports leave no trace in the notebook: no output, no name, no execution count.
"""

import os
import sys
import threading
import time

from helpers.batch.imports import import_for


def main(notebook, connection_file):
    """Run a kernel until it is told to shut down.

    Parameters
    ----------
    notebook : str
        Path of the notebook whose imports are made beforehand.
    connection_file : str
        Path of the file that says which ports and which key to use.
    """
    from ipykernel.kernelapp import IPKernelApp

    kernel = IPKernelApp.instance(parent_handle=int(os.environ["JPY_PARENT_PID"]))
    # Without a history file: IPython would otherwise keep one in the home folder.
    quietly = ["--log-level=ERROR", "--HistoryManager.hist_file=:memory:"]
    kernel.initialize(["-f", connection_file, *quietly])
    import_for(notebook)
    kernel.start()


def end_with_parent():
    """End this process when the one that started it is gone, however that ended.

    ipykernel watches its parent as well, but only from the moment it runs.
    """
    parent = int(os.environ["JPY_PARENT_PID"])

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    if os.name == "posix":
        end_with_parent()
    main(*sys.argv[1:])
