"""Manifests: what made an artifact, and the SHA-256 by which damage is noticed.

A manifest holds two entries, of the artifact and of the one that it replaced, and the
SHA-256 of itself.
"""

import json

from helpers.files import sha256


def manifest_bytes(entry, previous):
    """Return a manifest.

    Parameters
    ----------
    entry : dict
        What is to be said of an artifact; its last key must not be ``previous``.
    previous : dict or None
        Likewise of the artifact that it replaces.

    Returns
    -------
    bytes
        JSON that ends with the SHA-256 of all before.
    """
    content = entry | {"previous": previous}
    seal = {"sha256_of_the_above": sha256(json.dumps(content).encode())}
    return json.dumps(content | seal, indent=1).encode()


def manifest_entries(manifest):
    """Return the one or two entries of a manifest, the newest first.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError or RecursionError
        If a single byte is not as it was written.
    """
    entry = json.loads(manifest)
    entry.popitem()
    previous = entry.pop("previous")
    if manifest_bytes(entry, previous) != manifest:
        raise ValueError("its SHA-256 is another")
    return [entry, previous] if previous else [entry]
