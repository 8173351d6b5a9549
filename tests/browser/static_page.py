"""What would trouble the reader of a page that lies on the disk."""

import itertools
import re
import urllib.parse
from pathlib import Path

from contrast import PALE_TEXTS

WIDTHS = {"desk": 1280, "phone": 390}

# Text as the reader sees it, without code, where dollars and backslashes belong.
PROSE = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.closest("code, pre, script, style, textarea, annotation"))
      texts.push(node.textContent);
  }
  return texts;
}"""
RAW_FORMULA = re.compile(
    r"\$[^$\s][^$\n]*\$|\\[(\[]|\\(?:frac|times|text|left|begin|sum|cdot|approx)\b"
)

UNDRAWN_FORMULAS = """() => [...document.querySelectorAll("math")].filter((math) => {
  const { width, height } = math.getBoundingClientRect();
  return math.checkVisibility() && (!width || !height || math.querySelector("merror"));
}).map((math) => math.textContent)"""

IMAGES = """() => [...document.images].map((image) => [
  image.getAttribute("alt") ?? "", image.complete && image.naturalWidth > 0,
  image.src.slice(0, 60)])"""

WIDE = """() => {
  const { scrollWidth, clientWidth } = document.scrollingElement;
  return [scrollWidth, clientWidth];
}"""

HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(
  (heading) => [Number(heading.tagName[1]), heading.textContent.trim()])"""

LINKS = """() => [...document.querySelectorAll("a[href]")].map(
  (link) => link.getAttribute("href"))"""


def complaints_about(chromium, path, width):
    """Open a page from the disk, without any network, and look at it.

    Parameters
    ----------
    chromium : playwright.sync_api.Browser
    path : Path
        An HTML file.
    width : int
        Of the window, in pixels.

    Returns
    -------
    list of str
        One sentence for each fault; empty if all is well.
    """
    path = Path(path).resolve()
    context = chromium.new_context(
        offline=True, viewport={"width": width, "height": 844}
    )
    page = context.new_page()
    complaints = []
    page.on("request", lambda request: complaints.extend(_asked_for(request.url)))
    page.on("pageerror", lambda error: complaints.append(f"a script failed: {error}"))
    page.on("console", lambda message: complaints.extend(_said(message)))
    try:
        page.goto(path.as_uri(), wait_until="load")
        complaints += _looks(page)
        complaints += _structure(page)
        complaints += _dead_links(page.evaluate(LINKS), path)
        return complaints
    finally:
        context.close()


def _asked_for(url):
    if urllib.parse.urlsplit(url).scheme not in ("file", "data", "blob"):
        yield f"asked the network for {url}"


def _said(message):
    if message.type == "error":
        yield f"the console says: {message.text}"


def _looks(page):
    needed, there = page.evaluate(WIDE)
    if needed > there:
        yield f"scrolls sideways: {needed} pixels wide in a window of {there}"
    for text in page.evaluate(PROSE):
        found = RAW_FORMULA.search(text)
        if found:
            yield f"a formula is not drawn: {found[0]}"
    for formula in page.evaluate(UNDRAWN_FORMULAS):
        yield f"a formula is not drawn: {formula}"
    for pale in page.evaluate(PALE_TEXTS):
        yield f"too pale to read: {pale}"


def _structure(page):
    for alt, loaded, source in page.evaluate(IMAGES):
        if not loaded:
            yield f"a picture is not there: {alt or source}"
        if not alt.strip():
            yield f"a picture has no text: {source}"
    levels = page.evaluate(HEADINGS)
    if [level for level, _ in levels].count(1) != 1 or levels[0][0] != 1:
        yield f"headings begin {levels[:2]} instead of with the only h1"
    for (before, _), (level, text) in itertools.pairwise(levels):
        if level > before + 1:
            yield f"heading h{level} {text!r} follows an h{before}"
    if not page.title() or not page.evaluate("document.documentElement.lang"):
        yield "no title or no language"


def _dead_links(links, path):
    anchors = set(re.findall(r'\bid="([^"]*)"', path.read_text(encoding="utf-8")))
    for link in links:
        target = urllib.parse.urlsplit(link)
        if target.scheme in ("http", "https", "mailto"):
            continue
        if target.path:
            if not (path.parent / urllib.parse.unquote(target.path)).is_file():
                yield f"a link leads nowhere: {link}"
        elif urllib.parse.unquote(target.fragment) not in anchors:
            yield f"a link leads nowhere: {link}"
