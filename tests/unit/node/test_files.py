"""Readers of user files: what they accept, and an error that names the place for everything else."""

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from node import files
from node.errors import ConfigError, DataError, UnknownName

CSV = "age,height,kind\n31,1.75,0\n40,1.60,2\n\n22,1.81,1\n"


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def idx(values: np.ndarray, code: int = 0x08) -> bytes:
    return bytes([0, 0, code, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def test_csv_with_declared_features(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", CSV)
    data = files.load({"path": path, "label": "kind", "features": "height, age"})
    assert data.x.tolist() == np.float32([[1.75, 31], [1.60, 40], [1.81, 22]]).tolist()
    assert (data.y.tolist(), data.classes) == ([0, 2, 1], 3)
    assert files.load({"path": path, "label": "kind"}).x[:, 0].tolist() == [31, 40, 22]
    assert files.load({"path": path, "label": "kind", "classes": "5"}).classes == 5


def test_csv_with_names_as_labels_bom_and_gzip(tmp_path: Path) -> None:
    text = "\ufeffkind,x\r\nwolf,1\r\ndog,2\r\nwolf,3\r\n"
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    data = files.load({"path": str(path), "label": "kind"})
    assert (data.y.tolist(), data.classes) == ([1, 0, 1], 2)
    data = files.load({"path": str(path), "label": "kind", "classes": "wolf,cat,dog"})
    assert (data.y.tolist(), data.classes) == ([0, 2, 0], 3)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (CSV, {"label": "knid"}, r"a\.csv has no column 'knid'; did you mean 'kind'\?"),
        (CSV, {"label": "kind", "features": "age,hieght"}, r"no column 'hieght'; did you mean 'height'"),
        ("a,a\n1,2\n", {"label": "a"}, "distinct column names"),
        ("", {"label": "a"}, "no header line"),
        ("a,b\n", {"label": "a"}, "no rows"),
        ("a,b\n1\n", {"label": "a"}, "line 2: 1 cells, but the header has 2"),
        ("a,b\n0,1\n0,nan\n", {"label": "a"}, "line 3, column 'b': 'nan' is NaN"),
        ("a,b\n0,1\n0,1e39\n", {"label": "a"}, "line 3, column 'b': '1e39' is NaN, infinite or too large"),
        ("a,b\n0,\n", {"label": "a"}, "line 2, column 'b': '' is not a number"),
        ("a,b\n0,1\n ,1\n", {"label": "a"}, "line 3, column 'a': the label is empty"),
        ('a,b\n0,"1"x\n', {"label": "a"}, "line 2"),
        ("a,b\n0,1\ndog,1\n", {"label": "a", "classes": "2"}, "line 3, column 'a': label 'dog' is no class"),
        ("a,b\ndog,1\n", {"label": "a", "classes": "cat,wolf"}, "line 2, column 'a': label 'dog' is none"),
        ("a,b\n3,1\n", {"label": "a", "classes": "2"}, "labels span"),
        ("a,b\n99999999999999999999999,1\n", {"label": "a"}, "too many classes"),
    ],
)
def test_csv_errors_name_the_place(tmp_path: Path, text: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        files.load({"path": write(tmp_path / "a.csv", text), **options})


def test_csv_options_that_contradict(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", CSV)
    for options in ({}, {"label": "kind", "features": "kind"}, {"label": "kind", "features": "age,age"}):
        with pytest.raises(ConfigError):
            files.load({"path": path, **options})
    with pytest.raises(ConfigError, match="needs option path"):
        files.load({})
    with pytest.raises(ConfigError, match="cannot be told"):
        files.load({"path": write(tmp_path / "a.dat", CSV)})
    with pytest.raises(UnknownName, match="did you mean 'csv'"):
        files.load({"path": path, "format": "cvs"})
    with pytest.raises(ConfigError, match="not a number of classes"):
        files.load({"path": path, "label": "kind", "classes": "0"})


def test_files_that_are_not_there_or_not_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="there is no file"):
        files.load({"path": str(tmp_path / "none.csv")})
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n\xff,1\n")
    with pytest.raises(DataError, match="not UTF-8 text: byte 4"):
        files.load({"path": str(path), "label": "a"})
    path.write_bytes(gzip.compress(CSV.encode(), mtime=0)[:-9])
    with pytest.raises(DataError, match="cannot be unpacked"):
        files.load({"path": str(path), "label": "kind"})
    path.write_bytes(gzip.compress(b"a" * 1000, mtime=0))
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    with pytest.raises(DataError, match="unpacks to more than 100 bytes"):
        files.load({"path": str(path), "label": "kind"})
    path.write_text(CSV * 10)
    with pytest.raises(DataError, match="more than the limit of 100"):
        files.load({"path": str(path), "label": "kind"})


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    x = np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))
    np.savez_compressed(path, images=x, y=np.array([1, 0], np.uint8))
    data = files.load({"path": str(path), "x": "images"})
    assert (data.x == x).all()
    assert (data.y.tolist(), data.classes, data.shape) == ([1, 0], 2, (3, 4))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((2, 1)), np.array([0.0, 1.0]), "no class numbers"),
        (np.ones((2, 1)), np.array([0, -1]), "no class numbers"),
        (np.ones((2, 1)), np.zeros(3, int), "do not belong together"),
        (np.ones(2), np.zeros(2, int), "do not belong together"),
        (np.ones((2, 0)), np.zeros(2, int), "do not belong together"),
        (np.array([[1, 2], [3, np.nan]]), np.zeros(2, int), r"row 1, column 1: nan is NaN"),
        (
            np.array([[1, 2], [1e300, 0]]),
            np.zeros(2, int),
            r"row 1, column 0: 1e\+300 is NaN, infinite or too",
        ),
        (np.array([[1, "a"]], dtype=object), np.zeros(1, int), "never unpickled|not numbers"),
        (np.array([["a"]]), np.zeros(1, int), "not numbers"),
        (np.ones((2, 1)), np.array([0, 10**9]), "too many classes"),
    ],
)
def test_npz_content(tmp_path: Path, x: np.ndarray, y: np.ndarray, message: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=x, y=y)
    with pytest.raises(DataError, match=message):
        files.load({"path": str(path)})


def test_npz_that_lies(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"

    def attempt(member: bytes, name: str = "x.npy") -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, member)
        files.load({"path": str(path)})

    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 8)})
    with pytest.raises(DataError, match="declares 64000000000000 bytes, holds 4"):
        attempt(head.getvalue() + b"1234")
    with pytest.raises(DataError, match="no readable header"):
        attempt(b"junk and more junk")
    with pytest.raises(DataError, match="no readable header"):
        attempt(b"\x93NUMPY\x09\x00" + bytes(200))
    with pytest.raises(DataError, match="no array 'x'; did you mean 'xs'"):
        attempt(b"", "xs.npy")
    path.write_bytes(b"PK not a zip")
    with pytest.raises(DataError, match="not an npz file"):
        files.load({"path": str(path)})


@pytest.mark.parametrize("shape", [(-1, -4), (-4,), (4,)])
def test_npz_headers_of_wrong_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(32))
        archive.writestr("y.npy", b"")
    with pytest.raises(DataError, match=r"declares|no readable header"):
        files.load({"path": str(tmp_path / "a.npz")})


def test_npz_with_an_encrypted_member(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.ones((2, 1)), y=np.zeros(2, int))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match="not an npz file"):
        files.load({"path": str(path)})


def test_empty_arrays_and_line_separators_in_cells(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((0, 2)), y=np.zeros(0, int))
    with pytest.raises(DataError, match="do not belong together"):
        files.load({"path": str(tmp_path / "a.npz")})
    (tmp_path / "x.idx").write_bytes(idx(np.zeros((0, 2), np.uint8)))
    (tmp_path / "y.idx").write_bytes(idx(np.zeros(0, np.uint8)))
    with pytest.raises(DataError, match="do not belong together"):
        files.load({"path": str(tmp_path / "x.idx"), "labels": str(tmp_path / "y.idx")})
    path = write(tmp_path / "a.csv", 'a,b\nx\u2028y,1\n"p\nq",2\nz,oops\n')
    with pytest.raises(DataError, match="line 5, column 'b': 'oops'"):
        files.load({"path": path, "label": "a"})


def test_npz_whose_data_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.full((50, 1), 1.5), y=np.zeros(50, int))
    raw = bytearray(path.read_bytes())
    at = raw.index(np.float64(1.5).tobytes() * 3)
    raw[at] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match="not an npz file: Bad CRC"):
        files.load({"path": str(path)})


def test_idx_images_are_scaled(tmp_path: Path) -> None:
    images = np.array([[[0, 255], [51, 102]], [[1, 2], [3, 4]]], np.uint8)
    labels = np.array([3, 0], np.uint8)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images), mtime=0))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels), mtime=0))
    data = files.load({"path": str(tmp_path / "train-images-idx3-ubyte.gz"), "classes": "10"})
    assert data.x[0].tolist() == np.float32([[0, 1], [0.2, 0.4]]).tolist()
    assert (data.y.tolist(), data.classes) == ([3, 0], 10)
    (tmp_path / "features.idx").write_bytes(idx(np.array([[0.5], [1.5]], ">f4"), 0x0D))
    (tmp_path / "labels.idx").write_bytes(idx(labels))
    data = files.load({"path": str(tmp_path / "features.idx"), "labels": str(tmp_path / "labels.idx")})
    assert data.x.tolist() == [[0.5], [1.5]]
    with pytest.raises(ConfigError, match="needs option labels"):
        files.load({"path": str(tmp_path / "features.idx")})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not an IDX file: it starts with nothing"),
        (b"\1\0\x08\3" + bytes(20), "not an IDX file"),
        (b"\0\0\x07\3" + bytes(20), "not an IDX file"),
        (b"\0\0\x08\x09" + bytes(40), "not an IDX file"),
        (b"\0\0\x08\3" + bytes(5), "cut short in its header"),
        (b"\0\0\x08\2\xff\xff\xff\xff\xff\xff\xff\xff", "more than the limit"),
        (idx(np.zeros((2, 2), np.uint8)) + b"x", "declares 4 bytes in shape .2, 2., holds more than 4"),
        (idx(np.zeros((2, 2), np.uint8))[:-1], "declares 4 bytes in shape .2, 2., holds 3"),
        (gzip.compress(idx(np.zeros((200, 2), np.uint8)), mtime=0)[:-9], "cannot be unpacked"),
    ],
)
def test_idx_errors(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "x.idx").write_bytes(raw)
    (tmp_path / "y.idx").write_bytes(idx(np.zeros(2, np.uint8)))
    with pytest.raises(DataError, match=message):
        files.load({"path": str(tmp_path / "x.idx"), "labels": str(tmp_path / "y.idx")})
