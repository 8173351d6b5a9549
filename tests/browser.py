"""A real browser and a real JupyterLab, for the tests of what a reader sees."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

HOW = "needs Chrome, Edge or Chromium, or `playwright install chromium`"
TOKEN = "browser-test"
PANEL = "window.jupyterapp?.shell.currentWidget"
THREE = [
    [(0.32, 0.25), (0.5, 0.17), (0.66, 0.28), (0.62, 0.42), (0.48, 0.48)],
    [(0.48, 0.48), (0.66, 0.56), (0.7, 0.7), (0.55, 0.82), (0.32, 0.76)],
]


@pytest.fixture(scope="module")
def chromium():
    """A headless Chrome, Edge or Chromium, or a skip that says how to get one.

    One for each module: while Playwright runs, its thread can run no other event loop.
    """
    api = pytest.importorskip("playwright.sync_api", reason=HOW)
    with api.sync_playwright() as driver:
        browser = launch(driver.chromium, api.Error)
        if browser is None:
            pytest.skip(HOW)
        yield browser
        browser.close()


def launch(chromium, error_class):
    """Return the first browser of Chromium's family that starts, or None.

    Chrome comes first: on Ubuntu, Chromium is a snap, which sees few folders.
    """
    places = [{"channel": "chrome"}, {"channel": "msedge"}]
    for name in ("chromium", "chromium-browser"):
        if shutil.which(name):
            places.append({"executable_path": shutil.which(name)})
    places.append({})  # the one that Playwright downloads
    for place in places:
        with contextlib.suppress(error_class):
            return chromium.launch(args=["--no-sandbox"], **place)
    return None


@pytest.fixture(scope="module")
def page_folder(chromium, tmp_path_factory):
    """A folder, with spaces in its name, whose pages the browser can open from disk.

    A browser that is a snap has a folder for temporary files of its own, and cannot
    read ours; then it is a folder in the home directory.
    """
    folder = tmp_path_factory.mktemp("pages for a browser")
    if can_open_files(chromium, folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="tests of pages ", dir=Path.home()) as home:
        if not can_open_files(chromium, Path(home)):
            pytest.skip(
                f"the browser can open no files, neither in {folder} nor {home}"
            )
        yield Path(home)


def can_open_files(chromium, folder):
    """Return whether the browser can read what lies in a folder."""
    path = folder / "probe.html"
    path.write_text("<title>readable</title>")
    page = chromium.new_page()
    try:
        page.goto(path.as_uri())
        return page.title() == "readable"
    except Exception as error:
        if "net::ERR" not in str(error):
            raise
        return False
    finally:
        page.close()


@dataclass
class JupyterLab:
    """A JupyterLab that is running: where to reach it, and where its notebooks are."""

    address: str
    folder: Path


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory):
    """A running `JupyterLab` with settings of its own."""
    port = free_port()
    folder = tmp_path_factory.mktemp("jupyterlab")
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "ARTIFACTS_DIR": str(folder / "artifacts"),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--expose-app-in-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={folder}",
    ]
    with open(folder / "log.txt", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield JupyterLab(f"http://127.0.0.1:{port}", folder)
    finally:
        server.terminate()  # which shuts the kernels down as well
        server.wait(30)


def free_port():
    """Return the number of a port of this computer that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for_port(port, seconds=60):
    """Wait until a server on this computer listens to a port."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.2)
    raise TimeoutError(f"nothing listens to port {port} after {seconds} seconds")


def write_notebook(path, codes, outputs=()):
    """Write a notebook with a code cell for each of `codes`, all with `outputs`."""
    cells = [nbformat.v4.new_code_cell(code, outputs=[*outputs]) for code in codes]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


def open_notebook(chromium, jupyterlab, path):
    """Open a notebook, cut off from the internet, and wait until its kernel is idle."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    own = (jupyterlab.address, "data:", "blob:")
    page.route(lambda url: not url.startswith(own), lambda route: route.abort())
    page.goto(f"{jupyterlab.address}/lab/tree/{path}?token={TOKEN}&reset")
    status = f"{PANEL}?.sessionContext?.session?.kernel?.status"
    page.wait_for_function(f"() => {status} === 'idle'", timeout=60_000)
    return page


def run_all(page):
    """Run all cells of the notebook; return whether each of them ended well."""
    return page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")


def cells(page):
    """Return the notebook's cells as nbformat's dictionaries."""
    return page.evaluate(f"() => {PANEL}.content.model.toJSON().cells")


def shut_down(page):
    """Shut the notebook's kernel down."""
    page.evaluate(f"() => {PANEL}.sessionContext.shutdown()")


def draw(pad, strokes):
    """Draw strokes with the mouse on a pad; the points (x, y) are from 0 to 1."""
    paper = pad.locator("canvas").first
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    mouse = pad.page.mouse
    for stroke in strokes:
        is_down = False
        for x, y in stroke:
            place_x = box["x"] + x * box["width"]
            place_y = box["y"] + y * box["height"]
            mouse.move(place_x, place_y, steps=5)
            if not is_down:
                mouse.down()
                is_down = True
        mouse.up()
