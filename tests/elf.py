"""A small reader of ELF object files: where a symbol lies, and what it holds."""

import struct
from typing import NamedTuple

_WRITABLE, _ALLOCATED = 1, 2
_SYMBOL_TABLE = 2


class Symbol(NamedTuple):
    """A symbol: its section, how that is aligned, its place and bytes."""

    section: str
    writable: bool
    alignment: int
    offset: int
    data: bytes


def read_symbol(path, wanted):
    """Return the symbol called `wanted` of a little-endian ELF file, 32 or 64 bits."""
    data = path.read_bytes()
    assert data[:4] == b"\x7fELF" and data[5] == 1, "not a little-endian ELF file"
    wide = data[4] == 2
    if wide:
        start, size, count, names = *_at(data, "<Q", 40), *_at(data, "<HHH", 58)
    else:
        start, size, count, names = *_at(data, "<I", 32), *_at(data, "<HHH", 46)
    layout = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
    sections = [
        struct.unpack_from(layout, data, start + size * index) for index in range(count)
    ]
    for section in sections:
        if section[1] == _SYMBOL_TABLE:
            strings = sections[section[6]]
            for name, value, length, index in _symbols(data, section, wide):
                if _text(data, strings[4] + name) == wanted:
                    return _symbol(data, sections, names, value, length, index)
    raise KeyError(wanted)


def _symbols(data, section, wide):
    for offset in range(section[4], section[4] + section[5], section[9]):
        if wide:
            name, _, _, index, value, length = _at(data, "<IBBHQQ", offset)
        else:
            name, value, length, _, _, index = _at(data, "<IIIBBH", offset)
        yield name, value, length, index


def _symbol(data, sections, names, value, length, index):
    section = sections[index]
    assert section[2] & _ALLOCATED
    first = section[4] + value - section[3]
    return Symbol(
        _text(data, sections[names][4] + section[0]),
        bool(section[2] & _WRITABLE),
        section[8],
        value,
        data[first : first + length],
    )


def _at(data, layout, offset):
    return struct.unpack_from(layout, data, offset)


def _text(data, offset):
    return data[offset : data.index(b"\0", offset)].decode()
