"""Files as bytes, to travel where no file system is shared."""

import os
import zlib
from pathlib import Path

from helpers.files import explained, make_folder


def pack(folder, paths):
    """Return files as compressed bytes.

    Parameters
    ----------
    folder : Path
    paths : iterable of Path
        Files, and folders with all that is in them, inside `folder`.

    Returns
    -------
    dict of str to bytes
        By path relative to `folder`, with forward slashes.
    """
    bundle = {}
    for path in paths:
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in found:
            if file.is_file():
                name = file.relative_to(folder).as_posix()
                # Level 1: images shrink to a quarter either way, and quickly so.
                bundle[name] = zlib.compress(file.read_bytes(), 1)
    return bundle


def unpack(bundle, folder):
    """Write what `pack` returned into `folder`, which is made if it is missing."""
    for name, data in bundle.items():
        path = Path(folder, name)
        make_folder(path.parent)
        with explained("write", path):
            path.write_bytes(zlib.decompress(data))


def link_or_copy(source, target):
    """Give a file a second name, or a copy where the file system has only one.

    Artifacts are replaced as a whole and never changed in place, so two runs may share
    the bytes on the disk.
    """
    try:
        os.link(source, target)
    except OSError:
        Path(target).write_bytes(Path(source).read_bytes())
