"""Files of anybody: an answer or one sentence, nothing run and nothing allocated."""

import io
import os
import pickle
import random
import struct
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers.errors import TutorialError
from helpers.learn import npz
from helpers.learn.datasets import KEYS, load_file, make_dataset
from helpers.learn.npz import read_npz


def arrays(count=20):
    labels = np.arange(count, dtype=np.uint8) % 10
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    return {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}


def npz_bytes(compressed=False, **content):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **content)
    return file.getvalue()


def npy(header, data=b"", version=(1, 0)):
    """Return an ``.npy`` file with any header, which NumPy itself would not write."""
    text = header if isinstance(header, bytes) else header.encode()
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + data


def described(shape, descr="|u1", fortran=False):
    return f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape}}}\n"


def zipped(kind=zipfile.ZIP_STORED, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.npz"


def refusal(path, data=None, keys=KEYS):
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(TutorialError) as error:
        read_npz(path, keys)
    text = str(error.value)
    assert "\n" not in text and len(text) < 600 and path.name in text
    return text


# What is right


@pytest.mark.parametrize("compressed", [False, True])
def test_mnist_as_keras_stores_it_is_read(path, compressed):
    path.write_bytes(npz_bytes(compressed, **arrays(), other=np.zeros(1)))
    found = read_npz(path, KEYS)
    assert list(found) == list(KEYS)
    for name, array in arrays().items():
        np.testing.assert_array_equal(found[name], array)


@given(
    hnp.arrays(
        hnp.integer_dtypes(endianness="?")
        | hnp.floating_dtypes(endianness="?")
        | hnp.boolean_dtypes()
        | hnp.unicode_string_dtypes(max_len=5),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    st.sampled_from("CF"),
)
def test_any_array_is_read_as_numpy_reads_it(tmp_path_factory, array, order):
    path = tmp_path_factory.mktemp("npz") / "file.npz"
    path.write_bytes(npz_bytes(a=np.asarray(array, order=order)))
    found = read_npz(path, ["a"])["a"]
    with np.load(path, allow_pickle=False) as expected:
        np.testing.assert_array_equal(found, expected["a"])
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.flags.c_contiguous


def test_fortran_order_and_big_endian_give_the_same_dataset(path):
    plain = arrays()
    other = {
        "x_train": np.asfortranarray(plain["x_train"]),
        "y_train": plain["y_train"].astype(">i4"),
        "x_test": plain["x_test"][::-1][::-1],
        "y_test": plain["y_test"].astype(">u8"),
    }
    path.write_bytes(npz_bytes(**other))
    data = make_dataset(str(path), *load_file(path))
    np.testing.assert_array_equal(data.train_images, plain["x_train"])
    np.testing.assert_array_equal(data.train_labels, plain["y_train"])
    assert data.train_images.flags.c_contiguous and data.test_labels.dtype == np.uint8


# What is wrong


class _Hostile:
    def __reduce__(self):
        return os.system, ("touch hacked",)


def test_pickled_objects_are_refused_and_not_run(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    hostile = np.array([_Hostile()], dtype=object)
    assert "run code" in refusal(path, npz_bytes(**arrays() | {"x_test": hostile}))
    refusal(path, pickle.dumps(hostile))
    assert not (tmp_path / "hacked").exists()


def test_structured_types_are_refused(path):
    table = np.zeros(3, [("a", "i4"), ("b", "O")])
    assert "run code" in refusal(path, npz_bytes(**arrays() | {"y_test": table}))


BOMBS = {
    "one array": {"x_train": described((2**30 + 1,))},
    "all together": {k: described((300_000_000,)) for k in KEYS},
    "many dimensions": {"x_train": described((2,) * 64)},
    "beyond 64 bits": {"x_train": described((2**63, 2**63))},
    "wide items": {"x_train": described((2000,), "|S1000000")},
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb_is_refused_by_its_header_before_anything_is_allocated(path, bomb):
    zeros = bytes(16 * 2**20)  # a thousandth of that in the file
    small = {key: npy(described((1,)), b"\0") for key in KEYS}
    large = {key: npy(header, zeros) for key, header in BOMBS[bomb].items()}
    data = zipped(zipfile.ZIP_DEFLATED, **small | large)
    assert len(data) < 2**20
    del zeros, large
    tracemalloc.start()
    try:
        text = refusal(path, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert f"{npz.LARGEST:,}" in text or "damaged" in text
    assert peak < 8 * 2**20


def test_file_with_more_data_than_its_header_says_is_refused_early(path):
    small = dict.fromkeys(KEYS, npy(described((1,)), b"0"))
    zeros = npy(described((10,)), bytes(64 * 2**20))
    data = zipped(zipfile.ZIP_DEFLATED, **small | {"x_train": zeros})
    del zeros
    tracemalloc.start()
    try:
        assert "instead of 10" in refusal(path, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"\x93NUMPY",
        npy(described((3,)), b"12"),
        npy(described((3,)), b"1234"),
        npy(described((-3,))),
        npy(described((-3, -3)), bytes(9)),
        npy(described((3.0,)), b"123"),
        npy(described("(3"), b"123"),
        npy(described((3,), "no type"), b"123"),
        npy(described((3,), "|O"), pickle.dumps([1, 2, 3])),
        npy(described((3,)), b"123", version=(3, 0)),
        npy(described((3,)), b"123", version=(9, 9)),
        npy("{'descr': __import__('os').system('touch hacked')}"),
        npy("(" * 60000),
        npy("[" * 5000 + "]" * 5000),
        npy("\\\n" * 100),
        npy(b"\xff" * 100),
        npy("{" * 9000),
        npy("'" * 101),
    ],
    ids=lambda data: repr(data[:70]),
)
def test_odd_member_gives_one_sentence(path, member, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    good = npz_bytes(**arrays())
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        members = {key: archive.read(f"{key}.npy") for key in KEYS}
    refusal(path, zipped(**members | {"x_test": member}))
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    "data",
    [
        *[b"", b"PK", b"PK\5\6" + bytes(18), b"<html>", bytes(1000)],
        *[npz_bytes(a=np.zeros(1)), npz_bytes(**arrays())[:-30]],
    ],
    ids=lambda data: repr(data[:20]),
)
def test_file_that_is_no_dataset_gives_one_sentence(path, data):
    assert "x_train" in refusal(path, data)


def test_missing_array_is_named(path):
    content = arrays()
    del content["y_test"]
    assert "lacks the array y_test" in refusal(path, npz_bytes(**content))


def test_file_that_cannot_be_read_gives_one_sentence(path):
    assert "No such file" in refusal(path)
    path.mkdir()
    assert "Is a directory" in refusal(path) or os.name == "nt"


def test_encrypted_or_oddly_compressed_file_gives_one_sentence(path):
    data = bytearray(npz_bytes(**arrays()))
    for place in (6, 8):  # flags and method of the first member
        other = bytearray(data)
        other[place] = 99
        central = other.index(b"PK\1\2")
        other[central + place + 2] = 99
        refusal(path, bytes(other))
    for kind in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        whole = bytearray(zipped(kind, **dict.fromkeys(KEYS, npy(described((9,))))))
        whole[60:80] = bytes(20)
        refusal(path, bytes(whole))


# Mutations of a real file


def mutations(data, count, seed):
    rng = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 5])):
            place = rng.choice([rng.randrange(len(changed)), rng.randrange(200)])
            place = min(place, len(changed) - 1)
            kind = rng.randrange(5)
            if kind == 0:
                changed[place] ^= 1 << rng.randrange(8)
            elif kind == 1:
                changed[place : place + 4] = rng.randbytes(4)
            elif kind == 2:
                changed[place : place + 8] = b"\xff" * 8
            elif kind == 3:
                del changed[place : place + rng.randrange(1, 20)]
            else:
                changed[place:place] = changed[: rng.randrange(1, 60)]
        yield bytes(changed)


def check_mutations(path, count, seed):
    small = {k: a[:10] for k, a in arrays().items()}
    whole = npz_bytes(compressed=True, **small)
    refused = 0
    for data in mutations(whole, count, seed):
        path.write_bytes(data)
        try:
            make_dataset(str(path), *load_file(path))
        except TutorialError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 600
    assert count / 2 < refused < count
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_1000_damaged_files_give_a_dataset_or_one_sentence(path):
    check_mutations(path, 1000, seed=0)


@pytest.mark.slow
def test_20000_damaged_files_give_a_dataset_or_one_sentence(path):
    check_mutations(path, 20_000, seed=1)


LIMITED = """
import resource, sys
import numpy
from helpers.errors import TutorialError
from helpers.learn.npz import read_npz
resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
try:
    read_npz(sys.argv[1], ["x_train", "y_train", "x_test", "y_test"])
except TutorialError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory: run on Linux")
def test_bomb_within_a_limit_of_memory_gives_one_sentence(path):
    path.write_bytes(
        zipped(zipfile.ZIP_DEFLATED, **dict.fromkeys(KEYS, npy(described((2**29,)))))
    )
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "would take 2,147,483,648 bytes" in done.stdout
    assert done.stderr == ""
