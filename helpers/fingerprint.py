"""What tells two versions of the code that computes from each other."""

import functools
import json

from helpers.files import sha256
from helpers.parameters import notebook_paths
from helpers.paths import REPOSITORY

# What the notebooks compute with. How runs are started, shown and compared does not
# change a result, so what was computed survives changes there.
_COMPUTING = ("learn", "board")


@functools.cache
def helpers_fingerprint():
    """Return the SHA-256 of the helpers that compute.

    Returns
    -------
    str
        The same whatever the line endings, so that machines can be compared.
    """
    texts = []
    for room in _COMPUTING:
        for path in sorted((REPOSITORY / "helpers" / room).rglob("*.py")):
            name = path.relative_to(REPOSITORY).as_posix()
            texts.append([name, path.read_text(encoding="utf-8")])
    return sha256(json.dumps(texts).encode())


@functools.cache
def code_fingerprint():
    """Return the SHA-256 of the code of all notebooks and of the helpers that compute.

    Returns
    -------
    str
        As `helpers_fingerprint`.
    """
    texts = [helpers_fingerprint()]
    for notebook in notebook_paths():
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        texts.append([notebook.name, code])
    return sha256(json.dumps(texts).encode())
