"""A kernel that has made its notebook's imports, ``python -m helpers.batch.kernel``.

Its sockets are bound first, so that no other program can take their ports meanwhile,
and the imports leave no trace in the notebook: no output, no name, no execution count.
"""

import os
import signal
import sys

from helpers.batch.imports import import_for
from helpers.batch.orphans import PARENT, end_with_parent


def main(notebook, connection_file):
    """Run a kernel until SIGTERM.

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
    # ipykernel's own way to end, by message, sometimes waits ten seconds for its
    # output thread, which has ended already.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    kernel.start()


if __name__ == "__main__":
    end_with_parent(int(os.environ[PARENT]))
    main(*sys.argv[1:])
