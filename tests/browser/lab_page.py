"""A page of JupyterLab or Notebook 7, used as a reader would use it."""

SECONDS = 1000  # Playwright counts milliseconds

KERNEL_IS_IDLE = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  return panel?.sessionContext?.session?.kernel?.status === "idle";
}"""
RUN_ALL = """() => {
  delete window.allEndedWell;
  window.jupyterapp.commands.execute("notebook:run-all-cells").then(
    (well) => (window.allEndedWell = well),
    () => (window.allEndedWell = false),
  );
}"""


class LabPage:
    """One browser page on one server.

    Attributes
    ----------
    page : playwright.sync_api.Page
    errors : list of str
        What the page's scripts complained about.
    foreign : list of str
        Addresses on other computers that the page asked for; none was let through.
    """

    def __init__(self, page, server):
        self.page, self.server = page, server
        self.errors, self.foreign = [], []
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        page.route(lambda url: not url.startswith(self._own()), self._refuse)

    def _own(self):
        return (self.server.url, "data:", "blob:")

    def _note_console(self, message):
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _refuse(self, route):
        self.foreign.append(route.request.url)
        route.abort()

    def open(self, path, app="lab/tree"):
        """Open a notebook and wait until its kernel is ready.

        Parameters
        ----------
        path : str
            Below the server's root, with forward slashes.
        app : str
            ``"lab/tree"`` or ``"notebooks"`` (Notebook 7).
        """
        reset = "&reset" if app.startswith("lab") else ""
        self.page.goto(
            f"{self.server.url}/{app}/{path}?token={self.server.token}{reset}"
        )
        self.page.wait_for_function(KERNEL_IS_IDLE, timeout=60 * SECONDS)

    def run_all(self, minutes=10):
        """Run all cells; return whether each of them ended well."""
        self.page.evaluate(RUN_ALL)
        ended = "() => window.allEndedWell !== undefined"
        self.page.wait_for_function(ended, timeout=minutes * 60 * SECONDS)
        return self.page.evaluate("() => window.allEndedWell")

    def command(self, name, **arguments):
        """Execute one of JupyterLab's commands."""
        script = (
            "([name, options]) => window.jupyterapp.commands.execute(name, options)"
        )
        return self.page.evaluate(script, [name, arguments])

    def cells(self):
        """Return the notebook's cells as nbformat's dictionaries."""
        return self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
        )

    def shut_down(self):
        """Shut the notebook's kernel down and close the page: memory is scarce."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
        )
        self.page.close()
