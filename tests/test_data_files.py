"""Files of data: a table is read as its author meant it, or refused with the line and the reason; what was read is said."""

import hashlib
import io
import itertools
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import circle, small_config

import plrnn_numba as pl
from plrnn_numba import data
from plrnn_numba.runs.commands.common import DONE, MISTAKE
from plrnn_numba.runs.commands.main import main

ROWS = np.random.default_rng(0).standard_normal((12, 2)).round(3)


def lines(*first, rows=ROWS, sep=",", index=None, point="."):
    """A table as text: some first lines, then the rows, each behind an index."""
    text = [*first]
    for i, row in enumerate(rows):
        cells = [str(value).replace(".", point) for value in row]
        text.append(sep.join([index(i).replace(".", point), *cells] if index else cells))
    return "\n".join(text) + "\n"


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read a text as a file."""
    monkeypatch.chdir(tmp_path)

    def read(text, name="X.csv", **options):
        Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return data.read_series(name, **options)

    return read


def seconds(i):
    return f"{i / 100:.2f}"


# --- the same numbers, however they were written --------------------------------------------------------

PLAIN = {
    "no names": lines(),
    "names": lines("a,b"),
    "a mark": "\ufeff" + lines("a,b"),
    "a mark, no names": "\ufeff" + lines(),
    "UTF-16": lines("a,b").encode("utf-16"),
    "UTF-16 without a mark": lines("a,b").encode("utf-16-le"),
    "Latin-1": "°C,b\n".encode("latin-1") + lines().encode(),
    "CRLF": lines("a,b").replace("\n", "\r\n"),
    "CR": lines("a,b").replace("\n", "\r"),
    "quoted": "\n".join(f'"{a}","{b}"' for a, b in [("a", "b"), *ROWS]),
    "comments": "# made by\n% a logger\n" + lines("a,b") + "# end\n",
    "comments between": lines("a,b").replace("\n", "\n# x\n", 3),
    "names in a comment": "# a b\n" + lines(sep=" "),
    "an inline comment": lines("a,b").replace("\n", " # first\n", 2).replace(" # first", "", 1),
    "blank lines at the end": lines("a,b") + "\n\n",
    "empty rows at the end": lines("a,b") + ",\n,\n",
    "a delimiter at the end": lines("a,b").replace("\n", ",\n"),
    "semicolons": lines("a;b", sep=";"),
    "semicolons, decimal commas": lines("a;b", sep=";", point=","),
    "tabs": lines("a\tb", sep="\t"),
    "tabs, decimal commas": lines("a\tb", sep="\t", point=","),
    "blanks": lines("  a    b", sep="   "),
    "blanks, decimal commas": lines(sep="  ", point=","),
    "blanks behind commas": lines("a, b", sep=", "),
    "Excel's sep=": "sep=;\n" + lines("a;b", sep=";"),
    "a unit row": lines("a,b", "mV,[mV]"),
    "units of one": lines("a,b", "mV,1"),
    "pandas": lines(",a,b", index=str),
    "pandas without names": lines(",0,1", index=str),
    "a filtered index": lines(",a,b", index=lambda i: str(i * i)),
    "R": lines('"a","b"', index=lambda i: f'"{i + 1}"'),
    "an index of a name": lines("index,a,b", index=str),
    "an index without names": lines(index=str),
    "a clock": lines("time,a,b", index=seconds),
    "a clock with its unit": lines("Time (s),a,b", index=seconds),
    "a clock before numbers": lines("time,0,1", index=seconds),
    "a clock without a name": lines(index=seconds),
    "a clock of another name": lines("foo,a,b", index=seconds),
    "a clock with gaps": lines("time,a,b", index=lambda i: "" if i in (0, 5, 6) else seconds(i)),
    "a clock with gaps, without a name": lines(index=lambda i: "NA" if i == 5 else seconds(i)),
    "an index that was read again": lines("Unnamed: 0,a,b", index=lambda i: str(2 * i)),
    "a name of two lines": lines('"a\n(mV)",b'),
    "a clock in the middle": "a,time,b\n" + "".join(f"{a},{i},{b}\n" for i, (a, b) in enumerate(ROWS)),
    "an index and a clock": lines(",time,a,b", index=lambda i: f"{i},{i / 8}"),
    "dates": lines("date,a,b", index=lambda i: f"2020-01-{i + 1:02d}"),
    "an index of dates": lines(",a,b", index=lambda i: f"2020-01-01 00:00:00.{i:02d}Z"),
    "a date and a time": lines("date,time,a,b", index=lambda i: f"2020-01-01,23:59:{i:02d}"),
    "a date, a time, decimal commas": lines("Datum;Uhrzeit;a;b", sep=";", point=",", index=lambda i: f"2020-01-01;10:{i:02d}").replace("Datum", "Date").replace("Uhrzeit", "Time"),
    "dates and decimal commas": lines(sep=";", point=",", index=lambda i: f"2020-01-01 10:00:{i:02d}"),
    "over midnight": lines("time,a,b", index=lambda i: f"{(23 + i) % 24}:00"),
}  # fmt: skip


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
def test_the_same_numbers_however_they_were_written(read, text):
    np.testing.assert_array_equal(read(text).values, ROWS)
    np.testing.assert_array_equal(data.load_array("X.csv"), ROWS)


def test_only_the_comment_above_the_data_has_names(read):
    assert read("# what is it\n# a b\n" + lines(sep=" ")).names == ("a", "b")
    for text in ("# a b c\n" + lines(sep=" "), lines(sep=" ") + "# the end\n", "# 1 b\n" + lines(sep=" ")):
        assert read(text).names is None


@pytest.mark.parametrize("ending", [".tsv", ".txt", ".dat"])
def test_other_endings(read, ending):
    np.testing.assert_array_equal(read(lines("a\tb", sep="\t"), f"X{ending}").values, ROWS)


SAID = [
    (lines("time,a,b", index=seconds), "12 rows x 2 channels (a, b) from X.csv, column 'time' left out", 0.01),
    (lines(",a,b", index=str), "12 rows x 2 channels (a, b) from X.csv, the index left out", None),
    (lines(index=str), "from X.csv, the first column, which counts rows, left out", None),
    (lines(index=seconds), "the first column, whose steps are equal as a clock's, left out", 0.01),
    (lines("foo,a,b", index=seconds), "column 'foo', whose steps are equal as a clock's, left out", 0.01),
    (lines("a,b", "mV,"), "units (mV, -) left out", None),
    (lines("date,a,b", index=lambda i: f"2020-02-{i + 1:02d}"), "column 'date' left out", 86_400),
    (lines("time,a,b", index=lambda i: str(round(i * 1000 / 256))), "column 'time' left out", 43 / 11),
    (lines("t,a,b", index=lambda i: f"{i / 3:.2f}"), "column 't' left out", 3.67 / 11),
    (lines("time,a,b", index=lambda i: str(i + (i > 5))), "its steps are unequal, 1 to 2, first at line 8", None),
    (lines("a,b").replace("\n", "\n\n", 3), "2 blank line(s) between rows left out", None),
]  # fmt: skip


@pytest.mark.parametrize("text, said, dt", SAID, ids=[said for _, said, _ in SAID])
def test_what_is_left_out_is_said(read, text, said, dt):
    series = read(text)
    np.testing.assert_array_equal(series.values, ROWS)
    assert said in series.told()
    assert series.dt == (None if dt is None else pytest.approx(dt, rel=1e-12))


# What looks like a clock, a count or a name, and is data.
DATA = [
    ("2019,2020,2021\n0.5,1.5,2.5\n0.1,0.2,0.3\n", [[0.5, 1.5, 2.5], [0.1, 0.2, 0.3]]),
    ("NA,1.5\n2,3\n", [[np.nan, 1.5], [2, 3]]),
    ("1.5,\nNA,2\nnan,null\nNone,N/A\n-,.\n#N/A,NaN\n3,4\n", [[1.5, np.nan], [np.nan, 2], *[[np.nan] * 2] * 4, [3, 4]]),
    ("x\n1\n\n3\n\n", [[1], [np.nan], [3]]),
    ("0,1\n0.0998,0.995\n0.19,0.98\n", [[0, 1], [0.0998, 0.995], [0.19, 0.98]]),
    ("1,2\n3,4\n5,6\n7,8\n9,10\n", [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]),
    ("t,a\n1,2\n3,4\n2,5\n", [[1, 2], [3, 4], [2, 5]]),
    ("day,a\n1,2\n2,4\n1,5\n", [[1, 2], [2, 4], [1, 5]]),
    ("time constant,a\n1,2\n2,4\n1,5\n", [[1, 2], [2, 4], [1, 5]]),
    ("1,2,3,4\n", [[1, 2, 3, 4]]),
    ("7\n", [[7]]),
    ("a;b\n1,5;2\n3;4e1\n", [[1.5, 2], [3, 40]]),
]  # fmt: skip


@pytest.mark.parametrize("text, expected", DATA, ids=[text for text, _ in DATA])
def test_data_stay_data(read, text, expected):
    np.testing.assert_array_equal(read(text).values, expected)


REFUSED = [
    ("label,a\nx,1\ny,2\nx,3\n", "line 2, column 'label', a column of text: got 'x', expected a finite number; drop it (--drop label)"),
    ("x,1\ny,2\nx,3\n", "line 1, column 0 (counted from 0), a column of text: got 'x'"),
    ("a,b\n1,2\nthree,4\n5,6\n", "line 3, column 'a': got 'three', expected a finite number"),
    ("# c\na,b\n1,2\n\n3\n", "line 5 has 1 cell(s), but line 3 has 2"),
    ("a,b\n1,2\n3,4,5\n", "line 3 has 3 cell(s), but line 2 has 2"),
    ("a,b\n1,2,3\n4,5,6\n", "line 2 has 3 cell(s), but line 1 has 2 name(s)"),
    ("x\n1,5\n2,5\n", "line 2 has 2 cell(s), but line 1 has 1 name(s); a decimal comma needs another delimiter"),
    ("a,b\n1,2\ninf,4\n", "line 3, column 'a': got 'inf', expected a finite number"),
    ("a,b\n1,2\n1e400,4\n", "line 3, column 'a': got '1e400', expected a finite number; it is too large for float64"),
    ("a,b\n" + "9" * 400 + ",2\n", "line 2, column 'a': got '999"),
    ("a,b\n1,2\n1_0,4\n", "line 3, column 'a': got '1_0'"),
    ("a;b\n1,5;2\n1.5;3\n", "the decimal sign is a comma in line 2 (1,5), and a point in line 3 (1.5)"),
    ("a;b\n1.234,5;2\n1;3\n", "line 2, column 'a': got '1.234,5', expected a finite number; is one of its signs"),
    ('a,b\n1,2\n"3,4\n5,6\n', "line 3: unexpected end of data"),
    ("1.0,2.0,3x\n4,5,6\n", "line 1, column 2 (counted from 0): got '3x', expected a number; a line of names"),
    ("time,a\n0,1\n1,2\n0,3\n1,4\n", "line 4, column 'time': got 0 after 1, but the times of one series go forward"),
    (",a\n0,1\n1,2\n0,3\n1,4\n", "line 4, column 0 (counted from 0): the first column has no name, and is no clock"),
    ("time,a\n0,1\n,2\n3,3\n4,4\n", "line 3, column 'time': a time is missing, and the others do not go up in equal"),
    ('a,b\n"1,5",2\n', "line 2, column 'a', a column of text: got '1,5', expected a finite number; a decimal comma needs"),
    ("Device: x\nRate: 100\ntime,a\n1,2\n2,3\n3,4\n", "line "),
    ("time\n1\n2\n", "no column is left (column 'time' left out)"),
    ("date,a\n1/2/20,1\n2/2/20,2\n", "line 2, column 'date', a column of text: got '1/2/20'"),
    ("", "it has no rows"),
    ("a,b\n", "it has no rows"),
    ("# only\n", "it has no rows"),
    ("sep=|\na|b\n1|2\n", "got the delimiter '|', allowed are"),
    (b"a,b\x00\n1,2\n", "it is no text"),
    (b"\x89PNG\r\n\x1a\n\0\0\0", "it is no text"),
    (b"\xff\xfea", "it begins as utf-16, and does not go on so"),
]  # fmt: skip


@pytest.mark.parametrize("text, message", REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_be_meant_is_refused_with_its_line(read, text, message):
    with pytest.raises(data.DataError) as error:
        read(text)
    assert str(error.value).startswith("X.csv: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_of_many_parts_is_read_as_one(read, monkeypatch):
    """What is taken many lines at once, and what goes cell by cell, in turns."""
    X = np.random.default_rng(1).standard_normal((50, 3)).round(6)
    expected = X.copy()
    expected[13, 1] = expected[40, 2] = np.nan
    text = "a,b,c\n" + "".join(",".join(map(str, row)) + "\n" for row in expected)
    text = text.replace("nan", "", 1)
    for size in (1, 4, 7, 100):
        monkeypatch.setattr("plrnn_numba.data.formats.text._CHUNK", size)
        series = read(text)
        np.testing.assert_array_equal(series.values, expected)
        np.testing.assert_array_equal(series.places[0][1], np.arange(2, 52))
        np.testing.assert_array_equal(read(text.replace(",", ";").replace(".", ",")).values, expected)
        quoted = text.replace("a,b,c\n", 'a,b,c\n"0.5",1,2\n')
        np.testing.assert_array_equal(read(quoted).values[1:], expected)
        with pytest.raises(data.DataError, match=r"line 52 has 2 cell\(s\), but line 2 has 3"):
            read(text + "1,2\n")


# --- columns -----------------------------------------------------------------------------------------

ABC = "a,b,c\n1,2,3\n4,5,6\n"


@pytest.mark.parametrize(
    "options, names, first",
    [
        ({"columns": ["c", "a"]}, ("c", "a"), [3, 1]),
        ({"columns": "c,a"}, ("c", "a"), [3, 1]),
        ({"columns": [-1, 0]}, ("c", "a"), [3, 1]),
        ({"columns": "-1"}, ("c",), [3]),
        ({"columns": 1}, ("b",), [2]),
        ({"drop": "b"}, ("a", "c"), [1, 3]),
        ({"drop": ["b", "c"]}, ("a",), [1]),
        ({"columns": ["a", "b"], "drop": ["b"]}, ("a",), [1]),
        ({"time": "b"}, ("a", "c"), [1, 3]),
        ({"time": 0, "columns": ["b"]}, ("b",), [2]),
        ({"like": ["c", "a"]}, ("c", "a"), [3, 1]),
        ({"like": ["c", "a"], "columns": "a,c"}, ("c", "a"), [3, 1]),
    ],
    ids=str,
)
def test_columns_are_chosen_by_name_or_number(read, options, names, first):
    series = read(ABC, **options)
    assert series.names == names
    np.testing.assert_array_equal(series.values[0], first)
    assert series.dt == (3 if "time" in options else None)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"columns": "d"}, "has no column 'd'; it has 'a', 'b', 'c', or a number"),
        ({"columns": [3]}, "has no column 3"),
        ({"columns": [True]}, "has no column True"),
        ({"columns": "a,a"}, "column 'a' is named twice"),
        ({"columns": "a,0"}, "column '0' is named twice"),
        ({"drop": "alpha"}, "has no column 'alpha'"),
        ({"drop": "a,b,c"}, "no column is left"),
        ({"time": "x"}, "has no column 'x'"),
        ({"like": ["a", "x"]}, "has the columns a, b, c, but x expected"),
    ],
    ids=str,
)
def test_columns_that_are_not_there(read, options, message):
    with pytest.raises(data.DataError, match=r"X\.csv: ") as error:
        read(ABC, **options)
    assert message in str(error.value)


def test_odd_names(read):
    text = '-1,"a, b",x y,ü,x y\n1,2,3,4,5\n6,7,8,9,11\n'.replace("-1,", "-x,")
    assert read(text).names == ("-x", "a, b", "x y", "ü", "x y")
    np.testing.assert_array_equal(data.load_array("X.csv", columns='"a, b",-x'), [[2, 1], [7, 6]])
    with pytest.raises(data.DataError, match="several columns 'x y'; choose one by number: 2, 4"):
        read(text, columns=["x y"])
    assert read(",0,1\n0,5,7\n1,6,5\n", columns="1").values.tolist() == [
        [7],
        [5],
    ]  # a name goes before a number
    long = ",".join(f"MEG{i}" for i in range(306)) + "\n" + ",".join(["1"] * 306) + "\n"
    assert "306 channels (MEG0, MEG1, MEG2, MEG3, ..., MEG305)" in read(long).told()


def test_the_time_that_is_named_has_equal_steps(read):
    text = "x,a\n0,5\n0.5,6\n1,5\n2.5,4\n"
    assert read(text.replace("2.5", "1.5"), time="x").dt == 0.5
    with pytest.raises(
        data.DataError, match=r"line 5, column 'x': got a step of 1\.5 from 1 to 2\.5, expected equal"
    ):
        read(text, time="x")
    with pytest.raises(data.DataError, match=r"line 4, column 'a': got a step of -1 from 6 to 5"):
        read("a,b\n5,1\n6,2\n5,3\n6,1\n", time="a")
    with pytest.raises(data.DataError, match=r"line 3, column 'x': got a missing cell, expected a time"):
        read(text.replace("0.5", ""), time="x")
    with pytest.raises(data.DataError, match=r"line 3, column 'x': got 'now', expected a time"):
        read(text.replace("0.5", "now"), time="x")


def test_what_is_asked_for_by_name_is_a_variable(read):
    text = lines("time,a,b", index=seconds)
    series = read(text, columns="time,a")
    assert series.names == ("time", "a")
    assert series.dt is None
    assert read(text, columns="a").dt == pytest.approx(0.01)
    restarting = "time,a\n0,1\n1,2\n0,3\n1,4\n"
    assert read(restarting, columns="a").values.ravel().tolist() == [1, 2, 3, 4]
    assert read(restarting, drop="time").values.ravel().tolist() == [1, 2, 3, 4]


# --- other formats -----------------------------------------------------------------------------------


def test_arrays_of_numpy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X = ROWS
    np.save("X.npy", X)
    np.save("one.npy", X[:, 0])
    np.savez("two.npz", x=X, u=X[:, 0])
    np.savez("none.npz")
    np.testing.assert_array_equal(data.load_array("one.npy"), X[:, :1])
    np.testing.assert_array_equal(data.load_array("two.npz:x"), X)
    np.testing.assert_array_equal(data.load_array("two.npz:u"), X[:, :1])
    np.testing.assert_array_equal(data.load_array("X.npy:1"), X[:, 1:])
    np.testing.assert_array_equal(data.load_array("X.npy", transpose=True), X.T)
    for path, message in (
        ("two.npz", r"got 2 arrays \(x, u\), expected one; choose with two.npz:x"),
        ("two.npz:y", r"two.npz: has no array 'y'; it has x, u"),
        ("none.npz", "got 0 arrays"),
        ("X.npy:a", "has no column 'a'; it has no names; a number is allowed, from 0 to 1"),
        ("X.csv:a", "X.csv: no such file"),
    ):
        with pytest.raises(data.DataError, match=message):
            data.load_array(path)
    C = np.column_stack([0.1 * np.arange(12), X])
    np.save("C.npy", C)
    series = data.read_series("C.npy")  # an array is what its author made: told, not changed
    np.testing.assert_array_equal(series.values, C)
    assert "column 0 goes forward in equal steps as a clock does (--time 0 or --drop 0" in series.told()
    timed = data.read_series("C.npy", time=0)
    np.testing.assert_array_equal(timed.values, X)
    assert timed.dt == pytest.approx(0.1)
    np.save("trials.npy", np.stack([C, C]))
    np.testing.assert_array_equal(data.load_array("trials.npy", time=0), np.stack([X, X]))


def test_columns_of_a_series_on_disk_stay_there(tmp_path, monkeypatch):
    np.save(tmp_path / "X.npy", circle(400, size=(1, 2)))
    monkeypatch.setattr("plrnn_numba.data.mapped._LARGE", 1000)
    for columns in ([0], [1], [0, 1]):
        assert data.mapping_of(data.load_array(tmp_path / "X.npy", columns=columns)) is not None


def test_matlab(tmp_path, monkeypatch):
    scipy_io = pytest.importorskip("scipy.io")
    monkeypatch.chdir(tmp_path)
    scipy_io.savemat("one.mat", {"X": ROWS, "label": "abc"})
    scipy_io.savemat("two.mat", {"X": ROWS, "u": ROWS[:, 0]})
    np.testing.assert_array_equal(data.load_array("one.mat"), ROWS)
    np.testing.assert_array_equal(data.load_array("two.mat:u"), ROWS[:, :1])
    with pytest.raises(
        data.DataError,
        match=r"got 2 arrays \(X \(12, 2\), u \(1, 12\)\), expected one; choose with two.mat:X",
    ):
        data.load_array("two.mat")
    Path("bad.mat").write_bytes(b"no")
    with pytest.raises(data.DataError, match=r"bad\.mat: cannot be read"):
        data.load_array("bad.mat")


@pytest.mark.parametrize("options", [{"format": "4"}, {}, {"do_compression": True}], ids=str)
def test_matlab_s_own_versions(tmp_path, options):
    scipy_io = pytest.importorskip("scipy.io")
    others = (
        {} if options.get("format") else {"cells": np.array([[1, "a"]], object), "s": {"x": {"y": [1, 2]}}}
    )
    scipy_io.savemat(tmp_path / "X.mat", {"X": ROWS, **others}, **options)
    np.testing.assert_array_equal(data.load_array(tmp_path / "X.mat"), ROWS)


HEAD_OF_7_3 = b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM"


def test_matlab_of_version_7_3(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "X.mat", "w", userblock_size=512) as file:
        file["X"] = ROWS.T
    with (tmp_path / "X.mat").open("r+b") as file:
        file.write(HEAD_OF_7_3)
    np.testing.assert_array_equal(data.load_array(tmp_path / "X.mat"), ROWS)


def test_parquet(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    monkeypatch.chdir(tmp_path)
    times = np.datetime64("2020-01-01") + 10 * np.arange(12).astype("m8[ms]")
    a = [None, *ROWS[1:, 0]]
    parquet.write_table(pyarrow.table({"a": a, "b": ROWS[:, 1], "__index_level_0__": times}), "X.parquet")
    series = data.read_series("X.parquet")
    assert (series.names, series.dt) == (("a", "b"), pytest.approx(0.01, rel=1e-9))
    np.testing.assert_array_equal(series.values, [[np.nan, ROWS[0, 1]], *ROWS[1:]])
    parquet.write_table(pyarrow.table({"a": ROWS[:, 0], "label": ["x"] * 12}), "Y.parquet")
    with pytest.raises(data.DataError, match="row 0, column 'label', a column of text: got 'x'"):
        data.load_array("Y.parquet")
    np.testing.assert_array_equal(data.load_array("Y.parquet:a"), ROWS[:, :1])


def test_edf(tmp_path, monkeypatch):
    edfio = pytest.importorskip("edfio")
    monkeypatch.chdir(tmp_path)
    X = circle(512)
    signals = [edfio.EdfSignal(x, sampling_frequency=256, label=name) for x, name in zip(X.T, ("Fp1", "Fp2"))]
    slow = edfio.EdfSignal(X[:50, 0], sampling_frequency=25, label="Resp")
    edfio.Edf([*signals, slow], annotations=[edfio.EdfAnnotation(1, None, "seizure")]).write("X.edf")
    with pytest.raises(
        data.DataError, match="'Fp1' 256 and 'Resp' 25 samples a second; choose those of one rate"
    ):
        data.load_array("X.edf")
    series = data.read_series("X.edf", drop="Resp")
    assert (series.names, series.dt) == (("Fp1", "Fp2"), 1 / 256)
    np.testing.assert_allclose(series.values, X, atol=1e-4)


@pytest.mark.parametrize(
    "package, name", [("pyarrow", "X.parquet"), ("edfio", "X.edf"), ("edfio", "X.bdf"), ("h5py", "X.mat")]
)
def test_a_reader_that_is_not_installed_names_the_extra(tmp_path, monkeypatch, package, name):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    (tmp_path / name).write_bytes(HEAD_OF_7_3 + bytes(400))
    with pytest.raises(
        data.DataError, match=rf'X\.\w+: .* need the package {package}: pip install "plrnn_numba\[formats\]"'
    ):
        data.load_array(tmp_path / name)


# --- folders -----------------------------------------------------------------------------------------


def test_a_folder_of_trials(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("T").mkdir()
    for name, first in (("trial_1", "a,b"), ("trial_2", "b,a"), ("trial_10", "a,b")):
        Path(f"T/{name}.csv").write_text(f"{first}\n1,2\n3,5\n4,4\n")
    for name in (".hidden.csv", "notes.txt", "README"):
        Path(f"T/{name}").write_text("none of the trials")
    series = data.read_series("T")
    assert series.names == ("a", "b")
    np.testing.assert_array_equal(
        series.values, [[[1, 2], [3, 5], [4, 4]], [[2, 1], [5, 3], [4, 4]], [[1, 2], [3, 5], [4, 4]]]
    )
    for said in (
        "3 trials, 9 rows x 2 channels (a, b) from T",
        "columns of trial_2.csv put in order by their names",
        "2 other files left out",
        "trials in the order of their numbers (trial_1, trial_2, trial_10)",
    ):
        assert said in series.told()
    Path("T/trial_3.csv").write_text("a,c\n1,2\n")
    with pytest.raises(
        data.DataError, match=r"T/trial_3.csv: has the columns a, c, but T/trial_1.csv has a, b"
    ):
        data.load_array("T")
    Path("T/trial_3.csv").write_text("a,b,c\n1,2,3\n")
    with pytest.raises(data.DataError, match=r"T/trial_3.csv: has the columns a, b, c, but"):
        data.load_array("T")
    Path("C").mkdir()
    for i in (1, 2):
        Path(f"C/{i}.csv").write_text(lines("time,a,b", index=lambda k, i=i: str(k * i)))
    with pytest.raises(data.DataError, match=r"C/2.csv: dt is 2, but that of C/1.csv is 1"):
        data.load_array("C")
    Path("E").mkdir()
    Path("E/1.csv").write_text(lines(index=seconds))
    Path("E/2.csv").write_text(lines())
    with pytest.raises(
        data.DataError, match=r"E/2.csv: nothing left out, but E/1.csv: the first column, whose steps"
    ):
        data.load_array("E")
    Path("D").mkdir()
    Path("D/1.txt").write_text(lines(sep=" "))
    np.testing.assert_array_equal(data.load_array("D"), [ROWS])


# --- the command line --------------------------------------------------------------------------------

QUICK = ["--set", "training.epochs=1", "--set", "training.batches_per_epoch=2", "--no-plots"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a table and a configuration, and the current one."""
    monkeypatch.chdir(tmp_path)
    X = circle(1200, size=(1, 3)).round(6)
    Path("X.csv").write_text(lines("time,a,b", rows=X, index=seconds))
    Path("c.json").write_text(json.dumps(small_config()))
    return X


def test_train_says_what_it_read_and_keeps_the_names(folder, capsys):
    assert main(["train", "c.json", "--data", "X.csv", "--out", "r", *QUICK]) == DONE
    said = capsys.readouterr().err.splitlines()[0]
    line = "data: 1200 rows x 2 channels (a, b) from X.csv, column 'time' left out; 960 to train, 240 held out; dt 0.01"
    assert said == line
    np.testing.assert_array_equal(np.load("r/test.npy"), folder[960:])
    record = json.loads(Path("r/run.json").read_text())
    assert record["source"]["data"]["names"] == ["a", "b"]
    assert main(["generate", "r", "--steps", "30", "--out", "o.csv"]) == DONE
    assert Path("o.csv").read_text().startswith("a,b\n")
    assert data.read_series("o.csv").names == ("a", "b")
    capsys.readouterr()
    # By name, whatever else is in a file, and in whatever order.
    Path("Y.csv").write_text(lines("b,label,a", rows=[(y, "x", x) for x, y in folder[:400]]))
    assert main(["evaluate", "r", "--data", "Y.csv", "--json"]) == DONE
    found = json.loads(capsys.readouterr().out)
    expected = pl.evaluate(
        pl.load_model("r/model.npz"), folder[:400], **pl.Config.from_file("c.json").evaluation.options()
    )
    assert found["PE"]["median"] == expected.PE
    Path("Y.csv").write_text(lines("b,c", rows=folder[:400]))
    assert main(["evaluate", "r", "--data", "Y.csv"]) == MISTAKE
    assert "Y.csv: has the columns b, c, but a expected" in capsys.readouterr().err
    assert main(["train", "--resume", "--out", "r", "--quiet", "--no-plots"]) == DONE


def test_names_stand_in_the_pictures(folder, monkeypatch):
    from plrnn_numba.runs import folder as runs_folder
    from plrnn_numba.runs import pictures

    drawn = {}

    def keep(figure, path):
        drawn[path.stem] = [axes.get_ylabel() for axes in figure.axes]
        return path

    monkeypatch.setattr(runs_folder, "save_figure", keep)
    assert main(["train", "c.json", "--data", "X.csv", "--out", "r", "--quiet", *QUICK[:-1]]) == DONE
    assert drawn["series"] == ["a", "b"]
    assert drawn["spectra"] == ["power of a", "power of b"]
    assert drawn["orbits"] == ["b", "b"]
    figure = pictures.plot_return_map(folder, folder, names=["a", "$b"])
    assert figure.axes[0].get_xlabel() == r"maximum of \$b"
    assert pictures.plot_series(folder[:9], folder[:9]).axes[1].get_ylabel() == "x2"


def test_flags_choose_columns(folder, capsys):
    rows = [(y, "x", x, 0.5 * x) for x, y in folder]
    Path("Z.csv").write_text(lines("b,label,a,u", rows=rows))
    arguments = [
        "train",
        "c.json",
        "--data",
        "Z.csv",
        "--columns",
        "a,b",
        "--inputs",
        "Z.csv:u",
        "--out",
        "r",
    ]
    assert main([*arguments, *QUICK]) == DONE
    err = capsys.readouterr().err
    assert (
        "(a, b) from Z.csv; 960 to train, 240 held out; inputs: 1200 rows x 1 channel (u) from Z.csv:u" in err
    )
    np.testing.assert_array_equal(np.load("r/test.npy"), folder[960:])
    assert main(["train", "c.json", "--data", "Z.csv", *QUICK]) == MISTAKE
    assert "line 2, column 'label', a column of text" in capsys.readouterr().err
    assert main(["train", "c.json", "--data", "Z.csv", "--drop", "label,u", "--out", "s", *QUICK]) == DONE
    assert main(["train", "c.json", "--data", "X.csv", "--time", "time", "--out", "t", *QUICK]) == DONE
    capsys.readouterr()
    text = Path("X.csv").read_text().replace("\n5.00,", "\n5.003,")
    Path("X.csv").write_text(text)
    assert main(["train", "c.json", "--data", "X.csv", "--time", "time", *QUICK]) == MISTAKE
    assert "line 502, column 'time': got a step of 0.013 from 4.99 to 5.003" in capsys.readouterr().err
    assert main(["train", "--system", "lorenz63", "--columns", "a"]) == MISTAKE
    assert "--columns: it is for files" in capsys.readouterr().err


def test_a_missing_cell_is_masked_or_named(folder, capsys):
    text = Path("X.csv").read_text().splitlines()
    text[17] = text[17].rpartition(",")[0] + ","
    Path("X.csv").write_text("\n".join(text))
    assert main(["train", "c.json", "--data", "X.csv", *QUICK]) == MISTAKE
    message = 'X.csv: line 18, column \'b\': the cell is missing (1 of 2400 are); "missing": "mask" takes it'
    assert message in capsys.readouterr().err
    assert main(["train", "c.json", "--data", "X.csv", "--set", "missing=mask", "--out", "r", *QUICK]) == DONE
    np.save("X.npy", folder)
    capsys.readouterr()
    assert main(["train", "c.json", "--data", "X.npy", "--inputs", "X.csv:b", *QUICK]) == MISTAKE
    assert (
        "X.csv:b: line 18, column 'b': the cell is missing (1 of 1200 are); external inputs have no gaps"
        in capsys.readouterr().err
    )


def test_an_error_about_a_column_says_its_name(folder, capsys):
    Path("Y.csv").write_text(lines("a,b", rows=[(x, 2) for x, _ in folder]))
    assert main(["train", "c.json", "--data", "Y.csv", *QUICK]) == MISTAKE
    assert "column 1 ('b') is constant" in capsys.readouterr().err


def test_names_go_before_places(folder, capsys):
    """In a test series, in inputs of a test, in inputs of a free run."""
    rows = [(x, y, x * y, 2 * x) for x, y in folder]
    Path("Z.csv").write_text(lines("a,b,u,v", rows=rows))
    Path("T.csv").write_text(lines("v,u,b,a", rows=[row[::-1] for row in rows[:300]]))
    arguments = ["train", "c.json", "--data", "Z.csv:a,b", "--inputs", "Z.csv:u,v", "--out", "r", *QUICK]
    assert main([*arguments, "--test", "T.csv", "--test-inputs", "T.csv"]) == DONE
    assert "all to train, 300 rows of T.csv held out" in capsys.readouterr().err
    np.testing.assert_array_equal(np.load("r/test.npy"), folder[:300])
    np.testing.assert_array_equal(np.load("r/test_inputs.npy"), np.array(rows)[:300, 2:])
    assert main(["train", "--resume", "--out", "r", "--quiet", "--no-plots"]) == DONE
    start = ["generate", "r", "--steps", "300", "--start", "0.5,1"]
    assert main([*start, "--inputs", "T.csv", "--out", "o.csv"]) == DONE
    np.save("U.npy", np.array(rows)[:300, 2:])
    assert main([*start, "--inputs", "U.npy", "--out", "p.csv"]) == DONE
    assert Path("o.csv").read_text() == Path("p.csv").read_text()
    Path("T.csv").write_text(lines("v,w,b,a", rows=[row[::-1] for row in rows[:300]]))
    assert main([*start, "--inputs", "T.csv", "--out", "q.csv"]) == MISTAKE
    assert "T.csv: has the columns v, w, b, a, but u expected" in capsys.readouterr().err
    shutil.rmtree("r")
    assert main([*arguments, "--test", "T.csv:b,v"]) == MISTAKE
    assert "T.csv:b,v: has the columns b, v, but a expected" in capsys.readouterr().err


def test_channels_by_time_are_recognised(folder, capsys):
    np.save("W.npy", folder.T)
    arguments = ["train", "c.json", "--data", "W.npy", *QUICK]
    assert main(arguments) == MISTAKE
    assert "W.npy: got 2 rows and 1200 columns, but rows are times" in capsys.readouterr().err
    assert main([*arguments, "--transpose", "--out", "r"]) == DONE
    np.testing.assert_array_equal(np.load("r/test.npy"), folder[960:])
    assert main([*arguments, "--no-transpose"]) == MISTAKE
    rows = "\n".join(f"{name},{','.join(map(str, x))}" for name, x in zip("ab", folder.T))
    Path("W.csv").write_text(rows)
    assert main(["train", "c.json", "--data", "W.csv", "--transpose", "--out", "s", *QUICK]) == DONE
    assert Path("s/run.json").read_text().count('"a"') == 1


def test_one_channel(folder):
    np.save("one.npy", folder[:, 0])
    assert main(["train", "c.json", "--data", "one.npy", "--out", "r", "--quiet", *QUICK]) == DONE
    assert np.load("r/test.npy").shape == (240, 1)


# --- what `init` prints, `train` takes ------------------------------------------------------------------


def series_of(n_channels, gaps=False, n=600, constant=False):
    t = 0.1 * np.arange(n)
    X = np.column_stack([np.sin((1 + 0.1 * i) * t + i) for i in range(n_channels)])
    if gaps:
        X[np.random.default_rng(0).random(X.shape) < 0.05] = np.nan
    if constant:
        X[:, -1] = 2
    return X


@pytest.mark.parametrize("name", ["PLRNN", "ALRNN", "shPLRNN", "clipped_shPLRNN"])
@pytest.mark.parametrize(
    "n_channels, options",
    [(1, {}), (4, {}), (20, {"n": 150}), (25, {"gaps": True}), (3, {"gaps": True, "n": 90})],
    ids=str,
)
def test_what_init_prints_for_data_train_takes(tmp_path, monkeypatch, capsys, name, n_channels, options):
    monkeypatch.chdir(tmp_path)
    X = series_of(n_channels, **options)
    np.save("X.npy", X)
    np.save("U.npy", np.ones((len(X), 2)))
    inputs = ["--inputs", "U.npy"] if n_channels == 4 else []
    assert main(["init", "--model", name, "--data", "X.npy", *inputs]) == DONE
    text = capsys.readouterr().out
    Path("c.toml").write_text(text)
    config = pl.Config.from_file("c.toml")
    assert config.latent_dim >= n_channels
    assert config.missing == ("mask" if options.get("gaps") else "error")
    for key in ("latent_dim", *(["missing"] if options.get("gaps") else [])):
        assert any(line.startswith(key) and "; here: " in line for line in text.splitlines()), key
    assert ("here: what is trained on has" in text) == (len(X) < 400)
    assert main(["train", "c.toml", "--data", "X.npy", *inputs, "--out", "r", "--quiet", *QUICK]) == DONE


def test_init_for_trials_and_for_a_channel_that_never_changes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("T").mkdir()
    for i, n in enumerate([120, 61, 120, 9, 80]):
        np.save(f"T/{i}.npy", series_of(2, n=n))
    assert main(["init", "--data", "T"]) == DONE
    Path("c.toml").write_text(capsys.readouterr().out)
    assert pl.Config.from_file("c.toml").training.sequence_length == 60  # nine tenths of 310 rows
    assert main(["train", "c.toml", "--data", "T", "--out", "r", "--quiet", *QUICK]) == DONE
    Path("Y.csv").write_text(lines("a,b,c", rows=series_of(3, constant=True)))
    assert main(["init", "--data", "Y.csv"]) == DONE
    text = capsys.readouterr().out
    assert "standardize = false" in text
    assert "here: c never changes; better leave it out (--drop)" in text


def test_init_refuses_what_train_would_refuse(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", series_of(4))
    np.save("U.npy", np.ones((10, 2)))
    for arguments, message in (
        (
            ["--data", "X.npy", "--latent-dim", "2"],
            "latent_dim: got 2, but the data have 4 channels; allowed is at least 4",
        ),
        (["--data", "X.npy", "--inputs", "U.npy"], "each row of --inputs belongs to the same row of --data"),
        (["--inputs", "U.npy"], "--inputs: it belongs to --data, and there is none"),
        (["--data", "Y.npy"], "Y.npy: no such file"),
    ):
        assert main(["init", *arguments]) == MISTAKE
        assert message in capsys.readouterr().err
    assert main(["init"]) == DONE
    text = capsys.readouterr().out
    assert "init --data FILE" in text
    Path("c.toml").write_text(text)
    assert main(["train", "c.toml", "--data", "X.npy", *QUICK]) == MISTAKE
    err = capsys.readouterr().err
    assert "raise latent_dim to 4 or more (plrnn-numba init --data FILE does)" in err


# --- mutations ---------------------------------------------------------------------------------------

SEEDS = [
    lines("time,a,b", "s,mV,mV", index=seconds),
    lines(",a,b", index=str),
    lines("a;b", sep=";", point=","),
    lines(sep=" "),
    "# made by a logger\n" + lines("date,a,b", index=lambda i: f"2020-01-{i + 1:02d}"),
]
PIECES = [",", ";", "\t", " ", "\n", "\r", '"', "#", "%", "-", ".", "e", "nan", "inf", "NA", "1e400", "0", "9" * 400, "\0", "\ufeff", "é", "\udcff", "_", "sep=;\n", "time", "2020-01-01T00:00:00Z", ",,,,", "x" * 140_000]  # fmt: skip


def mutated(text, rng):
    """A text after some accidents: cut, doubled, swapped, with bytes of other texts in it."""
    raw = text.encode(rng.choice(["utf-8", "utf-8", "utf-8", "utf-16", "latin-1"]))
    for _ in range(rng.randint(1, 2)):
        i, j = sorted(rng.randrange(len(raw) + 1) for _ in range(2))
        piece = rng.choice(PIECES).encode("utf-8", "surrogateescape")
        raw = rng.choice(
            [
                raw[:i] + piece + raw[i:],
                raw[:i] + raw[j:],
                raw[:i] + piece + raw[min(i + 1, len(raw)) :],
                raw[:j],
                raw[:j] + raw[i:],
            ]
        )
    return raw


def read_or_refused(path, options):
    """The series, or the error's message."""
    try:
        return data.read_series(path, **options)
    except data.DataError as error:
        return str(error)


def test_mutated_tables_are_read_or_refused_in_one_line_and_stay_as_they_are(tmp_path):
    rng = random.Random(10)
    path = tmp_path / "X.csv"
    options = [{}, {"columns": "a"}, {"drop": [0]}, {"time": 0}, {"transpose": True}, {"like": ["a", "b"]}]
    n_refused = 0
    for text, option, k in itertools.product(SEEDS, options, range(20)):
        raw = mutated(text, rng)
        path.write_bytes(raw)
        series = read_or_refused(path, option)
        if isinstance(series, str):
            n_refused += 1
            assert series.startswith(f"{path}: "), (k, raw)
            assert "\n" not in series, (k, raw)
            assert len(series) < 600, (k, raw)
        else:
            assert series.values.dtype == np.float64
            assert series.values.ndim == 2
            assert not np.isinf(series.values).any(), (k, raw)
            assert series.names is None or len(series.names) == series.values.shape[1]
            assert "\n" not in series.told()
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(raw).digest()
    assert 100 < n_refused < 500


def archives():
    """Whole files of arrays, by their endings."""
    scipy_io = pytest.importorskip("scipy.io")
    for ending, write in {
        ".npy": lambda file: np.save(file, ROWS),
        ".npz": lambda file: np.savez(file, x=ROWS),
        ".mat": lambda file: scipy_io.savemat(file, {"x": ROWS}),
    }.items():
        file = io.BytesIO()
        write(file)
        yield ending, file.getvalue()


def test_mutated_arrays_are_read_or_refused_in_one_line(tmp_path):
    """SciPy would crash, the process with it, of a type in a .mat that there is not."""
    rng = random.Random(4)
    for ending, whole in archives():
        path, n_refused = tmp_path / f"X{ending}", 0
        for _ in range(200):
            raw = bytearray(whole)
            for _ in range(rng.randint(1, 3)):
                i = rng.randrange(min(300, len(raw)))
                raw[i : i + rng.randint(0, 8)] = rng.randbytes(rng.randint(0, 8))
            path.write_bytes(raw)
            series = read_or_refused(path, {})
            if isinstance(series, str):
                n_refused += 1
                assert "\n" not in series
            else:
                series.told()
            assert path.read_bytes() == raw
        assert n_refused > 20


def test_mutated_tables_at_a_shell(folder, capsys):
    rng = random.Random(3)
    text = Path("X.csv").read_text()
    codes = set()
    for k in range(40):
        raw = mutated(text, rng)
        Path("Z.csv").write_bytes(raw)
        codes.add(code := main(["init", "--data", "Z.csv"]))
        captured = capsys.readouterr()
        assert code in (DONE, MISTAKE), k
        if code == MISTAKE:
            assert captured.err.count("\n") == 1, (k, captured.err)
        assert Path("Z.csv").read_bytes() == raw
    assert codes == {DONE, MISTAKE}


# --- what belongs together ----------------------------------------------------------------------------


def test_inputs_whose_clock_goes_at_another_step_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("X.csv").write_text("time,a,b\n" + "".join(f"{0.01 * i:.2f},{i % 7},{i % 5}\n" for i in range(300)))
    Path("U.csv").write_text("time,u\n" + "".join(f"{0.02 * i:.2f},{i % 3}\n" for i in range(300)))
    for flag, name in (("--inputs", "U.csv"), ("--test", "slow.csv")):
        Path("slow.csv").write_text(
            "time,a,b\n" + "".join(f"{0.1 * i:.1f},{i % 7},{i % 5}\n" for i in range(300))
        )
        assert main(["train", "--data", "X.csv", flag, name, "--out", "r"]) == MISTAKE
        assert f"{flag}: its clock has dt" in capsys.readouterr().err


def test_a_clock_that_repeats_is_told_of(tmp_path):
    text = "t,a,b\n" + "".join(f"{i - (i > 50)},{i * i % 7},{i * i % 5}\n" for i in range(100))
    (tmp_path / "X.csv").write_text(text)
    told = data.read_series(tmp_path / "X.csv").told()
    assert "column 't' is a variable though it goes forward but for line 53" in told


def test_missing_cells_are_counted(tmp_path):
    (tmp_path / "X.csv").write_text("a,b\n1,2\n,3\n4,\n5,6\n")
    assert (
        "4 rows x 2 channels (a, b) from X.csv, 2 of 8 cells missing"
        in data.read_series(tmp_path / "X.csv").told()
    )
