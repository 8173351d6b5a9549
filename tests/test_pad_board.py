"""The pad and an emulated Uno read the same drawing, over a stand-in for Web Serial."""

import re
import time
from dataclasses import dataclass

import browser
import pytest
import serial
from browser import THREE, chromium, draw, page_folder

from helpers import draw_digit

expect = pytest.importorskip("playwright.sync_api", reason=browser.HOW).expect
pytestmark = pytest.mark.tflm
__all__ = ["chromium", "page_folder"]  # fixtures
URL = "http://uno.test"  # no such computer: the test answers itself
# The part of Web Serial that the pad uses; each byte passes through the test.
WEB_SERIAL = """
const port = {
  async open({ baudRate }) {
    this.isOpen = baudRate === 115200;
    this.readable = new ReadableStream({
      async pull(controller) {
        for (;;) {
          const response = await fetch("http://uno.test/read");
          if (!response.ok) throw new DOMException("gone", "NetworkError");
          const bytes = new Uint8Array(await response.arrayBuffer());
          if (bytes.length > 0) return controller.enqueue(bytes);
        }
      },
    });
    this.writable = new WritableStream({
      async write(bytes) {
        await fetch("http://uno.test/write", { method: "POST", body: bytes });
      },
    });
  },
  async close() {},
};
Object.defineProperty(navigator, "serial", { value: { requestPort: REQUEST } });
"""
CHOSEN = "async () => port"


class Bridge:
    """Carries bytes between the page's stand-in and a port of pyserial."""

    def __init__(self, port):
        self._port = port

    def answer(self, route):
        """Answer one request of the page."""
        headers = {"Access-Control-Allow-Origin": "*"}
        try:
            if route.request.url.endswith("/write"):
                self._port.write(route.request.post_data_buffer)
                body = b""
            else:
                body = self._port.read(1000)  # what comes until its time is out
            route.fulfill(body=body, headers=headers)
        except serial.SerialException:
            route.fulfill(status=410, headers=headers)


@pytest.fixture(scope="module")
def html(sketch):
    """Return the pad of the model that the emulated Uno's sketch has."""
    folder = sketch.sketch.parents[2]
    files = {
        path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()
    }
    return draw_digit.pad("mnist-cnn", files).data


@pytest.fixture
def opened(chromium, page_folder):
    """Return a function that opens a pad whose browser has this Web Serial."""

    def open_pad(html, port=None, request=CHOSEN):
        path = page_folder / "pad-with-board.html"
        path.write_text(f"<!DOCTYPE html>\n{html}", "utf-8-sig")
        page = chromium.new_page()
        page.add_init_script(WEB_SERIAL.replace("REQUEST", request))
        if port is not None:
            page.route(f"{URL}/**", Bridge(port).answer)
        page.goto(path.as_uri())
        return page.locator(".draw-digit")

    return open_pad


def _connect(pad):
    pad.get_by_role("button", name="Connect a board").click()
    return pad.locator(".on-board")


@pytest.mark.parametrize("faults", [0, 30])
def test_drawing_is_read_by_the_page_and_by_the_board(opened, html, uno, faults):
    with (
        uno(faults) as running,
        serial.serial_for_url(running.url, timeout=0.02) as port,
    ):
        pad = opened(html, port)
        said = _connect(pad)
        expect(said).to_contain_text("The board has this model", timeout=30_000)
        draw(pad, THREE)
        expect(pad.locator(".verdict")).to_contain_text("The model reads a 3")
        time = re.compile(r"Your board reads a 3, in [34]\d\d ms\. ")  # of an Uno
        expect(said).to_contain_text(time, timeout=60_000)
        expect(said).to_contain_text("All ten logits are those of this page.")
        pad.get_by_role("button", name="Clear").click()
        expect(said).to_have_text("")
        pad.page.close()


def test_board_with_another_model_is_refused(opened, html, uno):
    start = html.index("sha256&quot;: &quot;") + len("sha256&quot;: &quot;")
    other = f"{html[:start]}01234567{html[start + 8 :]}"
    with uno() as running, serial.serial_for_url(running.url, timeout=0.02) as port:
        pad = opened(other, port)
        said = _connect(pad)
        expect(said).to_contain_text("The board has another model, ", timeout=30_000)
        expect(said).to_contain_text(" of mnist-cnn, and not 01234567: upload the")
        expect(pad.get_by_role("button", name="Connect")).to_be_enabled()
        pad.page.close()


def test_pulled_cable_is_told(opened, html, uno):
    with uno() as running, serial.serial_for_url(running.url, timeout=0.02) as port:
        pad = opened(html, port)
        said = _connect(pad)
        expect(said).to_contain_text("The board has this model", timeout=30_000)
        running.unplug()
        draw(pad, THREE)
        expect(said).to_have_text("The board is gone: check its cable.", timeout=30_000)
        expect(pad.locator(".verdict")).to_contain_text("The model reads a 3")
        pad.page.close()


@dataclass
class DeafPort:
    """A port of a board that says the same whatever it is told."""

    sent: bytes

    def read(self, count):
        time.sleep(0.02)
        return self.sent

    def write(self, data):
        pass


@pytest.mark.parametrize(
    ("sent", "words"),
    [(b"", "does not answer"), (b"Temperature 21\r\n", "runs another sketch")],
)
def test_board_without_the_sketch_is_told(opened, html, sent, words):
    quick = html.replace("TIME_TO_START = 10000", "TIME_TO_START = 1500")
    assert quick != html
    pad = opened(quick, DeafPort(sent))
    expect(_connect(pad)).to_contain_text(f"The board {words}", timeout=15_000)
    pad.page.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotFoundError", "^$"),
        ("SecurityError", "^This viewer allows no serial port: open the page in Chrom"),
    ],
)
def test_port_that_is_not_given_is_explained(opened, html, error, words):
    request = f'async () => {{ throw new DOMException("no", "{error}"); }}'
    pad = opened(html, request=request)
    said = _connect(pad)
    expect(pad.get_by_role("button", name="Connect")).to_be_enabled()
    expect(said).to_have_text(re.compile(words))
    pad.page.close()


def test_browser_without_web_serial_shows_no_button(opened, html):
    pad = opened(html.replace('"serial" in navigator', '"nothing" in navigator'))
    expect(pad.get_by_role("button", name="Clear")).to_be_visible()
    expect(pad.get_by_role("button", name="Connect")).to_have_count(0)
    pad.page.close()
