"""The connection to a kernel, ready without idle waits."""

import asyncio
import os
import queue
import time

from jupyter_client.asynchronous import AsyncKernelClient

from helpers.errors import TutorialError
from helpers.paths import shown

STARTUP = 300  # seconds that a kernel may take to answer, imports included


class KernelClient(AsyncKernelClient):
    """A client that knows its kernel's process.

    Parameters
    ----------
    kernel : helpers.batch.kernel_process.Kernel
    """

    def __init__(self, kernel):
        super().__init__()
        self.kernel = kernel

    async def is_alive(self):
        return self.kernel.poll() is None

    async def ready(self):
        """Wait until the kernel answers and its output messages arrive."""
        deadline = time.monotonic() + STARTUP
        while not self._connected():
            await asyncio.sleep(0.01)
            await self._check(deadline)
        self.start_channels()
        while True:
            self.kernel_info()
            try:
                await self.shell_channel.get_msg(timeout=0.5)
                # A subscription takes effect a moment after the connection.
                await self.iopub_channel.get_msg(timeout=0.1)
                return
            except queue.Empty:
                await self._check(deadline)

    def _connected(self):
        # The kernel chooses its ports and writes the file: were they chosen for it,
        # another program could take them before it does.
        try:
            self.load_connection_file(self.kernel.connection_file)
        except (OSError, ValueError):  # not there, or only half of it
            return False
        return True

    async def _check(self, deadline):
        folder = os.path.dirname(self.kernel.connection_file)
        if not os.path.isdir(folder):  # where it would have said how to reach it
            run = os.path.dirname(folder)
            raise TutorialError(
                f"Cannot go on in {shown(run)}: No such file or directory; the folder "
                "was removed meanwhile: run this again."
            )
        if not await self.is_alive():
            raise RuntimeError(f"it {self.kernel.death()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"it did not answer within {STARTUP} seconds")
