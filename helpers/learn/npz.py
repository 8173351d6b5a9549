"""Read an ``.npz`` file from anywhere: nothing run, nothing allocated unchecked."""

import contextlib
import io
import zipfile
from pathlib import Path

import numpy as np

from helpers.errors import TutorialError
from helpers.paths import shown

LARGEST = 1024**3  # bytes of all arrays; a million images of 28 × 28 take 3/4 of it
_LONGEST_HEADER = 12 + 65536  # bytes, magic string and length included


def read_npz(path, keys):
    """Return the named arrays of an ``.npz`` file.

    Sizes are read from the file's headers and limited before anything is allocated, and
    pickled objects are refused, so a hostile file can neither run code nor fill the
    memory.

    Parameters
    ----------
    path : str or Path
    keys : sequence of str
        Names of the arrays that must be there; others are ignored.

    Returns
    -------
    dict of str to numpy.ndarray
        In native byte order and C order.

    Raises
    ------
    TutorialError
        If the file cannot be read, is damaged, lacks an array, holds an array of
        objects, or if its arrays would take more than `LARGEST` bytes together.
    """
    with _explained(path, keys), zipfile.ZipFile(Path(path)) as archive:
        missing = [key for key in keys if f"{key}.npy" not in archive.namelist()]
        if missing:
            raise TutorialError(
                f"{shown(path)} lacks the array {missing[0]}; expected are "
                f"{', '.join(keys)}."
            )
        headers = {key: _read_header(archive, key, path) for key in keys}
        total = sum(size for _, _, _, size in headers.values())
        if total > LARGEST:
            raise TutorialError(
                f"The arrays {', '.join(keys)} of {shown(path)} would take {total:,} "
                f"bytes, but may take {LARGEST:,} at most; use fewer images."
            )
        return {key: _read_array(archive, key, *headers[key]) for key in keys}


@contextlib.contextmanager
def _explained(path, keys):
    wanted = f"expected is an .npz file with the arrays {', '.join(keys)}"
    try:
        yield
    except TutorialError:
        raise
    except OSError as error:
        raise TutorialError(
            f"{shown(path)} cannot be read ({error.strerror or error}); {wanted}."
        ) from None
    except Exception as error:  # of any kind: the file may hold anything
        problem = (str(error).splitlines() or ["truncated"])[0][:120]
        raise TutorialError(
            f"{shown(path)} is damaged or not an .npz file ({problem}); {wanted}."
        ) from None


def _read_header(archive, key, path):
    """Return shape, whether in Fortran order, dtype and bytes of an array."""
    with archive.open(f"{key}.npy") as file:
        header = io.BytesIO(file.read(_LONGEST_HEADER))
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(header)
    if version not in readers:
        raise ValueError(f"{key} has the unknown format version {version}")
    shape, fortran_order, dtype = readers[version](header)
    if dtype.hasobject or dtype.names:
        raise TutorialError(
            f"{key} of {shown(path)} holds Python objects, which are never loaded "
            "because they can run code; save plain numbers instead."
        )
    size = dtype.itemsize
    for length in shape:  # Python's integers do not overflow
        if length < 0:
            raise ValueError(f"{key} has a negative length")
        size *= length
    return shape, fortran_order, dtype, size


def _read_array(archive, key, shape, fortran_order, dtype, size):
    with archive.open(f"{key}.npy") as file:
        version = np.lib.format.read_magic(file)
        digits = 2 if version == (1, 0) else 4
        file.read(int.from_bytes(file.read(digits), "little"))
        data = bytearray()
        while len(data) <= size and (piece := file.read(1 << 20)):
            data += piece
    if len(data) != size:
        raise ValueError(f"{key} has {len(data):,} bytes instead of {size:,}")
    array = np.frombuffer(data, dtype, count=-1 if size else 0)
    array = array.reshape(shape, order="F" if fortran_order else "C")
    return array.astype(dtype.newbyteorder("="), order="C", copy=False)
