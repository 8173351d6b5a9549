"""What makes two runs the same: parameters, data, and the code that computes."""

import json

from helpers.files import sha256
from helpers.fingerprint import code_fingerprint


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
