"""Import what a notebook will import, before its first cell asks for it.

Importing TensorFlow takes seconds. What a notebook needs is read from its own source,
so there is no list to keep.
"""

import ast
import contextlib
import importlib
import json
from pathlib import Path

from helpers.quiet import quiet


def names_used(notebook):
    """Return the modules that a notebook imports and what it names inside them.

    Imports inside an ``if`` or a function are left out: they may never happen.

    Parameters
    ----------
    notebook : Path
        An ``.ipynb`` file.

    Returns
    -------
    dict of str to set of str
        Dotted names that the source uses, by module, such as
        ``{"tensorflow": {"keras.Sequential"}}``.
    """
    used, aliases = {}, {}
    trees = list(_trees(notebook))
    for node in (n for tree in trees for n in _certain(tree)):
        if isinstance(node, ast.Import):
            for name in node.names:
                used.setdefault(name.name, set())
                # `import a.b` binds a, `import a.b as c` binds a.b.
                bound = name.name if name.asname else name.name.partition(".")[0]
                aliases[name.asname or bound] = bound
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            used.setdefault(node.module, set()).update(n.name for n in node.names)
    for node in (n for tree in trees for n in ast.walk(tree)):
        alias, _, dotted = _dotted(node).partition(".")
        if dotted and alias in aliases:
            used.setdefault(aliases[alias], set()).add(dotted)
    return used


def uses_tensorflow(notebook):
    """Return whether a notebook imports TensorFlow or Keras in any case."""
    roots = {module.partition(".")[0] for module in names_used(notebook)}
    return not roots.isdisjoint({"tensorflow", "keras"})


def import_for(notebook):
    """Import what a notebook imports, without a word and without failing.

    What cannot be imported here fails again in the notebook, where its reader sees it.
    """
    with quiet():
        for module, names in names_used(notebook).items():
            for name in {"", *names}:
                # Naming an attribute loads what a library loads at first use only, as
                # TensorFlow does with Keras.
                with contextlib.suppress(Exception):
                    found = importlib.import_module(module)
                    for part in filter(None, name.split(".")):
                        found = getattr(found, part)


def _trees(notebook):
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            plain = [ln for ln in source.splitlines() if not ln.startswith(("%", "!"))]
            with contextlib.suppress(SyntaxError):
                yield ast.parse("\n".join(plain))


def _certain(tree):
    """Yield the statements that a cell executes in any case."""
    for node in tree.body:
        yield node
        if isinstance(node, ast.With):
            yield from _certain(node)


def _dotted(node):
    """Return ``a.b.c`` for the expression a.b.c, and an empty text for others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return inner and f"{inner}.{node.attr}"
    return ""
