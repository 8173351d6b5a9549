"""Tables of any FlatBuffers file, read so that no byte in it can lead outside.

The format is FlatBuffers' own: a table begins with the distance back to its vtable,
which lists where each field lies; strings, vectors and other tables are reached by
offsets counted from where they are written
(https://flatbuffers.dev/internals/, "Tables", "Strings and Vectors").
The generated readers of the `flatbuffers` package follow whatever offset they find;
this one checks each before it is followed, and allocates nothing that the file does
not hold.
"""

import struct

import numpy as np

from helpers.paths import printable


class DamagedFlatbuffer(ValueError):
    """An offset, length or count that cannot be right; its text says which."""


class Table:
    """One table of a flatbuffer.

    Parameters
    ----------
    data : bytes
        The whole file.
    position : int
        Where in it the table begins, in bytes.

    Raises
    ------
    DamagedFlatbuffer
        If the table or its vtable does not lie inside the file.
    """

    def __init__(self, data, position):
        self._data = data
        self._position = position
        self._vtable = position - self._unpack("<i", position)
        self._vtable_bytes = self._unpack("<H", self._vtable)
        self._check(self._vtable, self._vtable_bytes)

    @classmethod
    def root(cls, data, identifier):
        """Return the root table of a file that bears the four-byte `identifier`."""
        if data[4:8] != identifier:
            raise DamagedFlatbuffer(
                f"bytes 4 to 7 are {bytes(data[4:8])!r} where {identifier!r} belongs"
            )
        return cls(data, struct.unpack_from("<I", data)[0])

    def number(self, field, code, default=0):
        """Return the number in slot `field` (`struct` code `code`), or `default`."""
        position = self._field(field)
        return default if position is None else self._unpack(f"<{code}", position)

    def table(self, field):
        """Return the table in slot `field`, or None."""
        position = self._target(field)
        return None if position is None else Table(self._data, position)

    def tables(self, field, limit):
        """Return the tables of the vector in slot `field`, `limit` of them at most."""
        offsets, first = self._vector(field, "<u4")
        if len(offsets) > limit:
            raise DamagedFlatbuffer(
                f"a list has {len(offsets):,} entries where {limit:,} is the limit"
            )
        return [
            Table(self._data, first + 4 * index + int(offset))
            for index, offset in enumerate(offsets)
        ]

    def numbers(self, field, dtype):
        """Return the vector of numbers in slot `field` as a read-only view."""
        return self._vector(field, dtype)[0]

    def text(self, field):
        """Return the string in slot `field`, fit to be shown, or an empty one."""
        text = self.numbers(field, "u1")[:1000].tobytes()
        return printable(text.decode(errors="replace"))

    def _vector(self, field, dtype):
        position = self._target(field)
        dtype = np.dtype(dtype)
        if position is None:
            return np.zeros(0, dtype), 0
        count = self._unpack("<I", position)
        first = position + 4
        self._check(first, count * dtype.itemsize)
        return np.frombuffer(self._data, dtype, count, first), first

    def _target(self, field):
        position = self._field(field)
        return None if position is None else position + self._unpack("<I", position)

    def _field(self, field):
        slot = 4 + 2 * field
        if slot + 2 > self._vtable_bytes:  # written by an older program
            return None
        return self._position + offset if (offset := self._slot(slot)) else None

    def _slot(self, slot):
        return self._unpack("<H", self._vtable + slot)

    def _unpack(self, code, position):
        self._check(position, struct.calcsize(code))
        return struct.unpack_from(code, self._data, position)[0]

    def _check(self, position, size):
        if position < 0 or position + size > len(self._data):
            raise DamagedFlatbuffer(
                f"an offset leads to bytes {position:,} to {position + size:,} of "
                f"{len(self._data):,}"
            )
