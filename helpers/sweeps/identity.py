"""What makes two runs the same: parameters, data, and the code that computes."""

import functools
import json
import platform

from helpers.files import sha256
from helpers.parameters import notebook_paths
from helpers.paths import REPOSITORY
from helpers.versions import LIBRARIES, versions

# What the notebooks compute with. How runs are started, shown and compared does not
# change a result, so a sweep survives changes there.
_COMPUTING = ("learn", "board")


@functools.cache
def code_fingerprint():
    """Return the SHA-256 of the notebooks' code and of the helpers that compute.

    Returns
    -------
    str
        The same whatever the line endings, so that machines can be compared.
    """
    texts = []
    for notebook in notebook_paths():
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        texts.append([notebook.name, code])
    for room in _COMPUTING:
        for path in sorted((REPOSITORY / "helpers" / room).rglob("*.py")):
            name = path.relative_to(REPOSITORY).as_posix()
            texts.append([name, path.read_text(encoding="utf-8")])
    return sha256(json.dumps(texts).encode())


def libraries():
    """Return the versions on which results depend.

    Returns
    -------
    dict of str to str
        Of Python (without the last part) and of the libraries.
    """
    found = versions()
    major, minor, _ = platform.python_version_tuple()
    return {"python": f"{major}.{minor}"} | {name: found[name] for name in LIBRARIES}


def run_id(values, data_identity):
    """Return the name under which a run is known.

    Parameters
    ----------
    values : dict
        Value by name of every parameter of the notebooks.
    data_identity : str
        Identity of the dataset's content.

    Returns
    -------
    str
        Twelve hexadecimal digits: even 100,000 runs share one with a chance of only
        1 in 50,000. The source of the images is not part of it, their content is; the
        libraries are not either, because whoever updates one of them may well want
        to go on.
    """
    values = {name: value for name, value in values.items() if name != "dataset"}
    facts = [values, data_identity, code_fingerprint()]
    return sha256(json.dumps(facts, sort_keys=True).encode())[:12]
