"""The page of an executed notebook: one file that needs no network and no script."""

import base64
import functools
import html
import mimetypes
import re
import urllib.parse
from pathlib import Path

from pygments.formatters import HtmlFormatter

from helpers.batch.formulas import to_mathml
from helpers.batch.lean import lean_imports
from helpers.files import explained, make_folder, write_atomically
from helpers.paths import NOTEBOOKS

with lean_imports():
    import nbformat
    from nbconvert.exporters import HTMLExporter, TemplateExporter
    from nbconvert.filters import Highlight2HTML
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

TEMPLATES = Path(__file__).with_name("templates")
_CODE_STYLE = "xcode"
_LIVE = (  # kinds of output that need a running kernel or a script
    "application/vnd.jupyter.widget-view+json",
    "application/javascript",
)


def write_page(executed, report, stems):
    """Write the page of an executed notebook.

    Parameters
    ----------
    executed : str or Path
        The executed notebook.
    report : str or Path
        Folder of the pages; made if missing.
    stems : list of str
        The series in order, for the links to its neighbours.
    """
    executed, report = Path(executed), Path(report)
    with explained("read", executed):
        notebook = nbformat.reads(executed.read_text(encoding="utf-8"), as_version=4)
    make_folder(report)
    page = render(notebook, executed.stem, stems)
    write_atomically(report / f"{executed.stem}.html", page.encode())


def render(notebook, stem, stems):
    """Return the page of a notebook as HTML.

    Parameters
    ----------
    notebook : NotebookNode
    stem : str
        Its file name without the suffix.
    stems : list of str
        See `write_page`.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in map(_still, cell.outputs) if o is not None]
    resources = {"tutorial": frame(stem, stems) | {"title": title(notebook, stem)}}
    return _Exporter(stems).from_notebook_node(notebook, resources)[0]


def title(notebook, otherwise=""):
    """Return the text of a notebook's first heading."""
    for cell in notebook.cells:
        found = re.search(r"^# (.+)$", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown" and found:
            return found[1].strip()
    return otherwise


def frame(stem, stems):
    """Return what the template puts around a page: style and neighbours."""
    place = stems.index(stem)
    before, after = stems[:place][-1:], stems[place + 1 :][:1]
    return {
        "style": style(),
        "previous": [(name, label(name)) for name in before],
        "next": [(name, label(name)) for name in after],
    }


@functools.cache
def label(stem):
    """Return how a link names a notebook: its number and its title."""
    path = NOTEBOOKS / f"{stem}.ipynb"
    if not path.exists():
        return stem
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    return f"{stem[:2].lstrip('0')} · {title(notebook, stem)}"


@functools.cache
def style():
    """Return the style sheet of all pages."""
    sheet = (TEMPLATES / "tutorial" / "style.css").read_text(encoding="utf-8")
    formatter = HtmlFormatter(style=_CODE_STYLE, nobackground=True)
    return sheet + formatter.get_style_defs(".highlight")


def markdown_to_html(source, stems=()):
    """Return Markdown as HTML that needs no other file.

    Parameters
    ----------
    source : str
        Formulas become MathML, pictures of the repository become part of the text.
    stems : list of str, optional
        Notebooks that have a page; links to other files of the repository become plain
        text, for they are out of reach.
    """
    return MarkdownWithMath(renderer=_Renderer(stems)).render(source)


class _Renderer(IPythonRenderer):
    def __init__(self, stems):
        super().__init__(escape=False)
        self.pages = {*stems, "index"} if stems else set()

    def block_math(self, body):
        return f'<span class="formula">{to_mathml(body, block=True)}</span>'

    def inline_math(self, body):
        return to_mathml(body)

    def latex_environment(self, name, body):
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def heading(self, text, level, **attributes):
        anchor = html.escape(re.sub(r"<[^>]*>", "", text).replace(" ", "-"), quote=True)
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'

    def image(self, text, url, title=None):
        data = url if url.startswith("data:") else _embedded(url)
        alt = html.escape(html.unescape(text), quote=True)
        return (
            f'<img src="{data}" alt="{alt}">' if data else f"[{alt}: no such picture]"
        )

    def link(self, text, url, title=None):
        target, _, anchor = url.partition("#")
        found = re.fullmatch(r"(?:\./)?([^/]+)\.(?:ipynb|html)", target)
        if found and found[1] in self.pages:
            url = f"{found[1]}.html" + (f"#{anchor}" if anchor else "")
        elif target and not urllib.parse.urlsplit(target).scheme:
            return text
        return super().link(text, url, title)

    def table(self, text):
        # Wider than a phone: it scrolls by itself, with a finger or with the keyboard.
        return f'<div class="wide" tabindex="0"><table>\n{text}</table></div>\n'


def _embedded(source):
    """Return a picture of the repository as a data URI, or None if there is none."""
    path = (NOTEBOOKS / urllib.parse.unquote(source)).resolve()
    kind = mimetypes.guess_type(path.name)[0]
    if not path.is_file() or not kind:
        return None
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


class _Exporter(HTMLExporter):
    """HTML by our own template alone, without what HTMLExporter adds at the end."""

    def __init__(self, stems):
        super().__init__(
            template_name="tutorial", extra_template_basedirs=[str(TEMPLATES)]
        )
        self.stems = stems

    def default_filters(self):
        yield from super().default_filters()
        yield "markdown2html", lambda source: markdown_to_html(source, self.stems)
        yield "to_mathml", lambda tex: to_mathml(tex.strip("$ \n"), block=True)
        yield "highlight_code", Highlight2HTML(pygments_lexer="python", parent=self)

    def from_notebook_node(self, notebook, resources):
        return TemplateExporter.from_notebook_node(self, notebook, resources)


def _still(output):
    """Return an output as a page can show it, or None if nothing is left of it."""
    if output.output_type in ("display_data", "execute_result"):
        for kind in _LIVE:
            output.data.pop(kind, None)
        if not any(str(value).strip() for value in output.data.values()):
            return None
    return output
