"""Readers for a user's own data: CSV with a declared schema, NumPy .npz, and IDX (the MNIST format).

Nothing is ever unpickled. Sizes come from headers and are checked against MAX_BYTES, and against the file,
before memory is taken. Features are used as they are, except bytes of IDX images, which are scaled to [0, 1].
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from node.data import Dataset
from node.errors import ConfigError, DataError, UnknownName

OPTIONS = ("path", "format", "label", "features", "classes", "x", "y", "labels")
"""path; format = csv | npz | idx (else by suffix); csv: label, features=a,b,c; npz: x, y (keys); idx: labels
(path of the label file); any: classes = a count, or for csv the label names a,b,c in class order."""

MAX_BYTES = 2**30
"""The largest file, and the largest array decoded from one, that is read: 1 GiB."""

_LARGEST = float(np.finfo(np.float32).max)

_IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def load(options: Mapping[str, str]) -> Dataset:
    """The data set that `options` (see OPTIONS) describe.

    Without `classes` the count is one more than the largest label, or the distinct names in the file: nodes
    with different files must declare it. Raises ConfigError for options that are missing or contradictory,
    DataError, naming the file and the place in it, for content that is not what they say.
    """
    if "path" not in options:
        raise ConfigError("task 'files' needs option path", hint="for example: path=data.csv label=target")
    path = Path(options["path"])
    kind = options.get("format") or guess_format(path)
    if kind not in _READERS:
        raise UnknownName("file format", kind, _READERS)
    _check_file(path)
    return _READERS[kind](path, options)


def guess_format(path: Path) -> str:
    """`csv`, `npz` or `idx` from the file's name. Raises ConfigError if it tells nothing."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".csv", ".npz", ".idx")):
        return name[-3:]
    if any(f"-idx{rank}-" in name or f".idx{rank}-" in name for rank in range(1, 5)):
        return "idx"
    raise ConfigError(f"the format of {path} cannot be told from its name", hint="say format=csv, npz or idx")


# --- CSV --------------------------------------------------------------------------------------------------


def read_csv(path: Path, options: Mapping[str, str]) -> Dataset:
    """UTF-8 CSV with a header; option `label` names a column, `features` (default: the others) the inputs.

    Labels are class numbers, or names if `classes` lists them or any label is no number. Row numbers in
    errors are line numbers of the file, the header being line 1.
    """
    if "label" not in options:
        raise ConfigError(f"{path} needs option label", hint="label=COLUMN, the column that holds the class")
    with _open(path) as raw:
        try:
            lines = raw.read(MAX_BYTES + 1)
            if len(lines) > MAX_BYTES:
                raise DataError(f"{path} unpacks to more than {MAX_BYTES} bytes")
            text = lines.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not UTF-8 text: byte {error.start}") from error
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} cannot be unpacked: {error}") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return _parse_csv(path, reader, options)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from error


def _parse_csv(path: Path, reader: Any, options: Mapping[str, str]) -> Dataset:
    header = [name.strip() for name in next(reader, [])]
    if len(set(header)) != len(header) or not header:
        raise DataError(f"{path} has no header line with distinct column names", hint=f"line 1 is {header}")
    label_at = _column(path, header, options["label"].strip())
    declared = options.get("features")
    names = [name.strip() for name in declared.split(",")] if declared else []
    wanted = [_column(path, header, name) for name in names] or [at for at in range(len(header)) if at != label_at]
    if label_at in wanted or not wanted or len(set(wanted)) != len(wanted):
        raise ConfigError(
            f"features of {path} must be distinct columns other than the label {header[label_at]!r}",
            hint=f"columns: {', '.join(header)}",
        )
    features: list[list[float]] = []
    labels: list[str] = []
    lines: list[int] = []
    for row in reader:
        if not row:
            continue
        line = reader.line_num
        if len(row) != len(header):
            raise DataError(f"{path}, line {line}: {len(row)} cells, but the header has {len(header)}")
        features.append([_number(path, line, header[at], row[at]) for at in wanted])
        labels.append(row[label_at].strip())
        if not labels[-1]:
            raise DataError(f"{path}, line {line}, column {header[label_at]!r}: the label is empty")
        lines.append(line)
    if not features:
        raise DataError(f"{path} has a header but no rows")
    y, classes = _classes(path, header[label_at], labels, lines, options.get("classes"))
    return Dataset(np.array(features, dtype=np.float32), y, classes)


def _column(path: Path, header: Sequence[str], name: str) -> int:
    if name in header:
        return header.index(name)
    near = difflib.get_close_matches(name, header, n=1, cutoff=0.4)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    raise DataError(f"{path} has no column {name!r}{guess}", hint=f"columns: {', '.join(header)}")


def _number(path: Path, line: int, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise DataError(f"{path}, line {line}, column {column!r}: {cell!r} is not a number") from None
    if not abs(value) <= _LARGEST:
        raise DataError(
            f"{path}, line {line}, column {column!r}: {cell!r} is NaN, infinite or too large for float32",
            hint="fill in or drop the row",
        )
    return value


def _classes(
    path: Path, column: str, labels: Sequence[str], lines: Sequence[int], declared: str | None
) -> tuple[NDArray[np.int64], int]:
    if declared is not None and not declared.strip().isdecimal():
        names = [name.strip() for name in declared.split(",")]
    elif all(label.isdecimal() for label in labels):
        y = np.array([min(int(label), 2**62) for label in labels], dtype=np.int64)
        return y, _count(path, y, declared)
    elif declared is not None:
        at = next(at for at, label in enumerate(labels) if not label.isdecimal())
        raise DataError(
            f"{path}, line {lines[at]}, column {column!r}: label {labels[at]!r} is no class number",
            hint="list the names instead: classes=a,b,c",
        )
    else:
        names = sorted(set(labels))
    code = {name: number for number, name in enumerate(names)}
    for line, label in zip(lines, labels, strict=True):
        if label not in code:
            raise DataError(
                f"{path}, line {line}, column {column!r}: label {label!r} is none of the declared classes",
                hint=f"classes: {', '.join(names)}",
            )
    return np.array([code[label] for label in labels], dtype=np.int64), len(names)


def _count(path: Path, y: NDArray[np.int64], declared: str | None) -> int:
    """The number of classes: as declared, else one more than the largest label."""
    if declared is not None and not (declared.strip().isdecimal() and int(declared) >= 1):
        raise ConfigError(f"classes={declared!r} is not a number of classes", hint="for example classes=10")
    count = int(declared) if declared is not None else int(y.max(initial=0)) + 1
    if count > max(65_536, len(y)):
        raise DataError(f"{path} has label {y.max(initial=0)}: that is too many classes", hint="number them from 0")
    return count


# --- npz --------------------------------------------------------------------------------------------------


def read_npz(path: Path, options: Mapping[str, str]) -> Dataset:
    """Arrays `x` (n, *shape) and `y` (n,), under the keys that options x and y give (default: x and y)."""
    try:
        with zipfile.ZipFile(path) as archive:
            x = _npz_array(path, archive, options.get("x", "x"))
            y = _npz_array(path, archive, options.get("y", "y"))
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
        # RuntimeError: an encrypted member, or a compression that zipfile does not know
        raise DataError(f"{path} is not an npz file: {error}") from error
    return _from_arrays(path, x, y, options)


def _npz_array(path: Path, archive: zipfile.ZipFile, key: str) -> NDArray[Any]:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if key not in members:
        near = difflib.get_close_matches(key, members, n=1, cutoff=0.4)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(f"{path} has no array {key!r}{guess}", hint=f"arrays: {', '.join(sorted(members))}")
    info = members[key]
    with archive.open(info) as stream:
        try:
            version = np.lib.format.read_magic(stream)
            read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[version[0]]
            shape, fortran, dtype = read(stream)
        except (ValueError, KeyError) as error:
            raise DataError(f"{path}: array {key!r} has no readable header: {error}") from error
        if dtype.kind not in "buif":
            raise DataError(f"{path}: array {key!r} has type {dtype}, not numbers", hint="objects are never unpickled")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size > MAX_BYTES or size != info.file_size - stream.tell():
            raise DataError(f"{path}: array {key!r} declares {size} bytes, holds {info.file_size - stream.tell()}")
        data = stream.read(size)
    if len(data) != size:
        raise DataError(f"{path}: array {key!r} is cut short")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


# --- IDX --------------------------------------------------------------------------------------------------


def read_idx(path: Path, options: Mapping[str, str]) -> Dataset:
    """MNIST-style images at `path` and labels at option `labels`, either of them gzipped or not.

    Without the option, `images` in the file name becomes `labels` and `idx3` becomes `idx1`. Pixels of one
    byte are divided by 255.
    """
    if "labels" in options:
        other = Path(options["labels"])
    else:
        other = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1"))
        if other == path:
            raise ConfigError(f"{path} needs option labels", hint="labels=PATH, the IDX file with the labels")
    _check_file(other)
    x, y = _idx_array(path), _idx_array(other)
    if x.dtype == np.dtype("u1"):
        x = x.astype(np.float32) / np.float32(255)
    return _from_arrays(path, x, y, options)


def _idx_array(path: Path) -> NDArray[Any]:
    with _open(path) as stream:
        try:
            magic = stream.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_DTYPES or not 1 <= magic[3] <= 4:
                raise DataError(f"{path} is not an IDX file: it starts with {magic.hex() or 'nothing'}")
            lengths = stream.read(4 * magic[3])
            if len(lengths) != 4 * magic[3]:
                raise DataError(f"{path} is cut short in its header")
            shape = struct.unpack(f">{magic[3]}I", lengths)
            dtype = np.dtype(_IDX_DTYPES[magic[2]])
            size = math.prod(shape) * dtype.itemsize
            if size > MAX_BYTES:
                raise DataError(f"{path} declares {size} bytes, more than the limit of {MAX_BYTES}")
            data = stream.read(size + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} cannot be unpacked: {error}") from error
    if len(data) != size:
        held = f"{len(data)}" if len(data) < size else f"more than {size}"
        raise DataError(f"{path} declares {size} bytes in shape {shape}, holds {held}")
    return np.frombuffer(data, dtype).reshape(shape)


# --- shared -----------------------------------------------------------------------------------------------


def _from_arrays(path: Path, x: NDArray[Any], y: NDArray[Any], options: Mapping[str, str]) -> Dataset:
    if x.ndim not in (2, 3, 4) or y.ndim != 1 or len(x) != len(y) or len(x) == 0 or 0 in x.shape:
        raise DataError(
            f"{path}: samples {x.shape} and labels {y.shape} do not belong together",
            hint="x is (n, features), (n, height, width) or (n, channels, height, width); y is (n,)",
        )
    whole = y.astype(np.int64) if y.dtype.kind in "bui" else None
    if whole is None or int(whole.min()) < 0:
        raise DataError(f"{path}: labels of type {y.dtype} from {y.min()} are no class numbers from 0")
    with np.errstate(over="ignore", invalid="ignore"):
        values = x.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        at = tuple(int(i) for i in np.argwhere(~finite)[0])
        column = ",".join(map(str, at[1:]))
        raise DataError(
            f"{path}, row {at[0]}, column {column}: {x[at]} is NaN, infinite or too large for float32",
            hint="rows and columns are counted from 0",
        )
    return Dataset(values, whole, _count(path, whole, options.get("classes")))


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"there is no file {path}", hint="check the option path, which is relative to here")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} has {path.stat().st_size} bytes, more than the limit of {MAX_BYTES}")


def _open(path: Path) -> gzip.GzipFile | IO[bytes]:
    """The file as bytes, gunzipped if it starts like gzip."""
    with path.open("rb") as start:
        packed = start.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")


_READERS = {"csv": read_csv, "npz": read_npz, "idx": read_idx}
