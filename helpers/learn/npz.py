"""Read an ``.npz`` file from anywhere: nothing run, nothing allocated unchecked."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from helpers.errors import TutorialError
from helpers.paths import shown

LARGEST_ARRAY = 1024**3  # bytes; a million images of 28 × 28 take three quarters of it


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
        If the file cannot be read, is damaged, lacks an array, or holds an array of
        objects, or one of more than `LARGEST_ARRAY` bytes.
    """
    wanted = f"expected an .npz file with the arrays {', '.join(keys)}"
    try:
        with zipfile.ZipFile(Path(path)) as archive:
            names = set(archive.namelist())
            missing = [key for key in keys if f"{key}.npy" not in names]
            if missing:
                raise TutorialError(f"{shown(path)} lacks {missing[0]}; {wanted}.")
            return {key: _read_array(archive, key, path) for key in keys}
    except TutorialError:
        raise
    except OSError as error:
        raise TutorialError(
            f"{shown(path)} cannot be read ({error.strerror or error}); {wanted}."
        ) from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        SyntaxError,
        TypeError,
        OverflowError,
        MemoryError,
    ) as error:
        problem = str(error).splitlines()[0][:120] if str(error) else "truncated"
        raise TutorialError(
            f"{shown(path)} is damaged or not an .npz file ({problem}); {wanted}."
        ) from None


def _read_array(archive, key, path):
    with archive.open(f"{key}.npy") as file:
        header = io.BytesIO(file.read(min(12 + 65536, LARGEST_ARRAY)))
        version = np.lib.format.read_magic(header)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran_order, dtype = read_header(header)
        if dtype.hasobject or dtype.names:
            raise TutorialError(
                f"{key} of {shown(path)} holds Python objects ({dtype}), which are "
                "never loaded because they can run code; save plain numbers instead."
            )
        count = 1
        for length in shape:
            count *= int(length)
        size = count * dtype.itemsize
        if count < 0 or size > LARGEST_ARRAY:
            raise TutorialError(
                f"{key} of {shown(path)} would take {size:,} bytes, but an array may "
                f"take {LARGEST_ARRAY:,} at most; use fewer images."
            )
        data = bytearray(header.read())
        while len(data) <= size and (piece := file.read(1 << 20)):
            data += piece
    if len(data) != size:
        raise ValueError(f"{key} has {len(data):,} bytes instead of {size:,}")
    array = np.frombuffer(data, dtype).reshape(
        shape, order="F" if fortran_order else "C"
    )
    return np.ascontiguousarray(array, dtype.newbyteorder("="))
