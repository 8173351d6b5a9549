"""Workers: those of this machine, started for the sweep, or those of a cluster."""

import contextlib
import logging
import warnings

from helpers.errors import TutorialError
from helpers.sweeps.process import thread_settings

_PATIENCE = 60  # seconds that the first worker may take to appear


@contextlib.contextmanager
def workers(options, stopping):
    """Give a Dask client with workers behind it.

    Parameters
    ----------
    options : argparse.Namespace
        ``scheduler``, or else ``workers`` and ``threads``.
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

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    logging.getLogger("tornado").setLevel(logging.CRITICAL)
    settings = {"distributed.comm.timeouts.connect": "10s"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        # Data of a run is megabytes, once; Dask would advise against it.
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        if options.scheduler:
            address = options.scheduler
        else:
            address = stack.enter_context(_own_workers(options, stopping))
        try:
            client = distributed.Client(address, set_as_default=False)
        except (OSError, ValueError) as error:
            raise TutorialError(
                f"No scheduler answers at {address} ({_first_line(error)}); start one "
                "there with `dask scheduler`, or mend the address."
            ) from None
        stack.callback(_close, client)
        if options.scheduler:
            _wait_for_a_worker(client, address)
        yield client


@contextlib.contextmanager
def _own_workers(options, stopping):
    import distributed

    def kill():
        import psutil

        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.kill()

    with stopping.held():
        stopping.at_once.append(kill)
        cluster = distributed.LocalCluster(
            n_workers=options.workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            worker_dashboard_address=None,
            memory_limit=0,  # what needs memory are the runs, in their own processes
            silence_logs=logging.CRITICAL,
            env={n: v for n, v in thread_settings(1).items() if "THREADS" in n},
            security=distributed.security.Security(),
        )
    try:
        yield cluster.scheduler_address
    finally:
        with contextlib.suppress(Exception):
            cluster.close(timeout=2)


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
        client.close(timeout=2)


def _first_line(error):
    return str(error).strip().split("\n")[0] or type(error).__name__
