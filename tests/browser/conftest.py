"""A real browser and a real JupyterLab, for the tests of what a reader sees."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from lab_page import LabPage

from helpers.paths import IMAGES, NOTEBOOKS, REPOSITORY

SETTINGS = {  # of JupyterLab, for a page that is the same at each visit
    "apputils-extension/notification": '{"fetchNews": "false"}',
    # Every cell is on the page, also those that are not on the screen.
    "notebook-extension/tracker": '{"windowingMode": "none"}',
}
NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome", "msedge"]


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium, Chrome or Edge; the test is skipped where there is none.

    One for each module: while Playwright runs, its thread can run no other event loop,
    and tests outside this folder need theirs.
    """
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="needs a browser driver: pip install playwright"
    )
    with sync_api.sync_playwright() as playwright:
        browser = _launch(playwright, sync_api.Error)
        if browser is None:
            pytest.skip(
                "no Chromium, Chrome or Edge found; `playwright install chromium` or "
                "`apt-get install chromium` installs one"
            )
        yield browser
        browser.close()


def _launch(playwright, error):
    # Playwright's own browser, then what people have installed, then what is on PATH.
    paths = [path for path in map(shutil.which, NAMES) if path]
    choices = [{}, {"channel": "chrome"}, {"channel": "msedge"}]
    for choice in [*choices, *({"executable_path": path} for path in paths)]:
        try:
            return playwright.chromium.launch(**choice)
        except error:
            continue
    return None


class Server:
    """JupyterLab on a copy of the notebooks, with folders of its own for everything."""

    def __init__(self, folder, port):
        self.root = folder / "repository"
        self.artifacts = folder / "artifacts"
        self.url = f"http://127.0.0.1:{port}"
        self.token = "browser-test"
        self._log = folder / "jupyterlab.log"
        self._folder = folder
        # Opened from a copy, so that JupyterLab's autosave changes no file of ours.
        for original in (NOTEBOOKS, IMAGES):
            shutil.copytree(original, self.root / original.name)
        self._process = self._start(port)

    def _start(self, port):
        for name, settings in SETTINGS.items():
            path = self._folder / f"settings/@jupyterlab/{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(settings)
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += ["--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
        command += [f"--IdentityProvider.token={self.token}"]
        command += [f"--ServerApp.root_dir={self.root}", "--expose-app-in-browser"]
        command += ["--JupyterNotebookApp.expose_app_in_browser=True"]
        with open(self._log, "w") as log:
            return subprocess.Popen(
                command, env=self._environment(), stdout=log, stderr=subprocess.STDOUT
            )

    def _environment(self):
        folders = {
            "HOME": "home",
            "USERPROFILE": "home",  # what Windows calls it
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
            "ARTIFACTS_DIR": "artifacts",
        }
        environment = os.environ.copy()
        # Keras looks for a dataset that is already there in the real home.
        environment.setdefault("KERAS_HOME", str(Path.home() / ".keras"))
        for variable, name in folders.items():
            (self._folder / name).mkdir(exist_ok=True)
            environment[variable] = str(self._folder / name)
        paths = [str(REPOSITORY), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        return environment

    def wait_until_it_answers(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                return self._ask("api/status")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        raise RuntimeError(f"JupyterLab did not start: {self._log.read_text()[-4000:]}")

    def stop(self):
        """Stop the server and its kernels; return processes that outlived it."""
        family = psutil.Process(self._process.pid).children(recursive=True)
        try:
            self._ask("api/shutdown", method="POST")
        except (urllib.error.URLError, ConnectionError):
            self._process.terminate()
        self._process.wait(30)
        _, leaked = psutil.wait_procs(family, timeout=15)
        for process in leaked:
            process.kill()
        return leaked

    def _ask(self, path, method="GET"):
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/{path}", None, headers)
        request.method = method
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory):
    """A running `Server`; when it stops, no kernel may be left behind."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(tmp_path_factory.mktemp("jupyterlab"), port)
    try:
        server.wait_until_it_answers()
        yield server
    finally:
        leaked = server.stop()
    assert not leaked, f"left running: {leaked}"


@pytest.fixture(scope="module")
def new_page(chromium, jupyterlab):
    """Open new pages of JupyterLab; they are closed when the module ends."""
    contexts = []

    def open_page(**options):
        contexts.append(chromium.new_context(**options))
        return LabPage(contexts[-1].new_page(), jupyterlab)

    yield open_page
    for context in contexts:
        context.close()
