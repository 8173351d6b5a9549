"""Workers: those of this machine, started for the sweep, or those of a cluster."""

import contextlib
import logging
import warnings

from helpers.errors import TutorialError
from helpers.sweeps.local_cluster import local_cluster

_PATIENCE = 60  # seconds that the first worker may take to appear


@contextlib.contextmanager
def workers(options, scratch, stopping):
    """Give a Dask client with workers behind it.

    Parameters
    ----------
    options : argparse.Namespace
        ``scheduler``, or else ``workers``: how many to start here.
    scratch : Path
        Folder for temporary files of workers that are started here.
    stopping : helpers.batch.stopping.Stopping
        When stopped, the workers of this machine end at once, and with them their runs.

    Yields
    ------
    distributed.Client

    Raises
    ------
    TutorialError
        If no scheduler answers at the address, or if it has no workers.
    """
    import dask
    import distributed

    class Client(distributed.Client):
        def __del__(self):
            """Leave it to `_close`: Dask would wait for what was never connected."""

    _hush("distributed", "tornado", "asyncio")
    settings = {"distributed.comm.timeouts.connect": "5s"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        # Data of a run is megabytes, once; Dask would advise against it.
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        if options.scheduler:
            address = options.scheduler
        else:
            address = stack.enter_context(
                local_cluster(options.workers, scratch, stopping)
            )
        try:
            client = Client(address, set_as_default=False)
        except (OSError, TypeError, ValueError) as error:  # TypeError: TLS not set up
            raise TutorialError(
                f"No scheduler answers at {address} ({_first_line(error)}); start one "
                "there with `dask scheduler`, or mend the address."
            ) from None
        stack.callback(_close, client)
        if options.scheduler:
            _wait_for_a_worker(client, address)
        yield client


def _hush(*libraries):
    """Keep what these libraries log off the screen: all that matters is said here."""
    for name in [*libraries, *logging.root.manager.loggerDict]:
        if name.split(".")[0] in libraries:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _wait_for_a_worker(client, address):
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError:
        raise TutorialError(
            f"The scheduler at {address} has had no worker for {_PATIENCE} seconds; "
            f"start some with `dask worker {address}`."
        ) from None


def _close(client):
    with contextlib.suppress(Exception):
        client.close(timeout=1)


def _first_line(error):
    return str(error).strip().split("\n")[0] or type(error).__name__
