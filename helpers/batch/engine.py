"""papermill's engine with a kernel that is already there, and with progress.

papermill runs the cells; what is added is small: the kernel comes from
`helpers.batch.kernels`, progress messages reach the terminal, and the notebook is kept
when its kernel dies.
"""

from helpers.batch.lean import lean_imports

with lean_imports():
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine, papermill_engines
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import remove_error_markers

_NAME = "tutorial"


class Failed(Exception):
    """A notebook that did not reach its end.

    Attributes
    ----------
    notebook : NotebookNode
        As far as it was executed.
    cell_index : int
        Of the cell that failed.
    reason : str
        One line.
    """

    def __init__(self, notebook, cell_index, reason):
        super().__init__(reason)
        self.notebook, self.cell_index, self.reason = notebook, cell_index, reason


def execute(path, parameters, kernel, *, on_progress=None, timeout=None):
    """Execute a notebook in a kernel that runs.

    Parameters
    ----------
    path : Path
        The notebook.
    parameters : dict
        Injected by papermill after the cell tagged ``parameters``.
    kernel : helpers.batch.kernel_process.Kernel
        Connected.
    on_progress : callable, optional
        Called with the dict of each progress message of the notebook.
    timeout : int, optional
        Seconds that one cell may take.

    Returns
    -------
    NotebookNode
        Executed.

    Raises
    ------
    Failed
        If a cell fails or takes too long, or if the kernel dies.
    """
    state = {}
    try:
        return papermill.execute_notebook(
            # papermill fills in what stands between braces, even in a folder's name.
            str(path).replace("{", "{{").replace("}", "}}"),
            None,
            parameters,
            engine_name=_NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            execution_timeout=timeout,
            kernel=kernel,
            on_progress=on_progress,
            state=state,
        )
    except PapermillExecutionError as error:
        reason = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
        if error.ename == "TutorialError":
            reason = error.evalue
        # papermill has put a banner into the notebook; ours is on its page.
        notebook = remove_error_markers(state["notebook"])
        raise Failed(notebook, state["cell"], reason) from None
    except CellTimeoutError:
        reason = f"it took longer than --timeout allows ({timeout} s)"
        raise Failed(state["notebook"], state["cell"], reason) from None
    except DeadKernelError:
        reason = f"its kernel {kernel.death()}"
        raise Failed(state["notebook"], state["cell"], reason) from None


class _Client(PapermillNotebookClient):
    """Executes cells one after the other and listens for progress messages."""

    def __init__(self, manager, kernel, on_progress, **options):
        super().__init__(
            manager,
            km=kernel,
            record_timing=False,
            coalesce_streams=True,
            iopub_timeout=60,  # on a busy computer outputs arrive late
            **options,
        )
        self.kc = kernel.client
        self.on_progress = on_progress

    def process_message(self, message, cell, cell_index):
        metadata = message["content"].get("metadata")
        if self.on_progress and isinstance(metadata, dict) and "progress" in metadata:
            self.on_progress(metadata["progress"])
        return super().process_message(message, cell, cell_index)


class _Engine(Engine):
    @classmethod
    def execute_managed_notebook(
        cls,
        manager,
        kernel_name,
        *,
        kernel,
        on_progress,
        state,
        execution_timeout=None,
        **_,
    ):
        def remember(cell, cell_index):
            state["cell"] = cell_index

        state.update(notebook=manager.nb, cell=0)
        client = _Client(
            manager,
            kernel,
            on_progress,
            kernel_name=kernel_name,
            timeout=execution_timeout,
            # Widgets need a live kernel; a page shows the picture beside them.
            store_widget_state=False,
            on_cell_start=remember,
        )
        client.execute()


papermill_engines.register(_NAME, _Engine)
