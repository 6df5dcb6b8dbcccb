"""Data of pandas, SciPy and torch: it comes back as it was, stays inside without its library, and is never forged."""

import contextlib
import datetime
import sys
import tracemalloc
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.course import Limits
from autograder.sandbox import Opaque, Worker
from autograder.sandbox.inside import calls, protocol, tables, wire
from autograder.sandbox.inside.wire import WireError
from tests.sandbox.test_kinds import frame
from tests.sandbox.test_wire import trees

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]
needs_torch = pytest.mark.skipif(torch is None, reason="NOT TESTED: torch is not installed (pip install torch)")

UNITS = st.sampled_from(["s", "ms", "us", "ns"])
ZONES = st.sampled_from([datetime.UTC, ZoneInfo("Europe/Zurich"), datetime.timezone(datetime.timedelta(hours=-3.5))])
TEXTS = st.sampled_from(["", "a", "ä", "x y"])
MOMENTS = st.integers(0, 2**31) | st.just(-(2**63))


def zoned(moments: list[int], unit: str, zone: Any) -> Any:
    naive = pd.DatetimeIndex(np.array(moments, "i8").view(f"M8[{unit}]"))
    return naive.tz_localize("UTC").tz_convert(zone).array


def columns(rows: int) -> st.SearchStrategy[Any]:
    """Values of any dtype that pandas keeps."""

    def lists(of: Any) -> Any:
        return st.lists(of, min_size=rows, max_size=rows)

    numbers = hnp.arrays(st.sampled_from(["i8", "u1", "i2", "f8", "f4", "?", "c16"]), rows)
    times = st.builds(
        lambda each, code, unit: np.array(each, "i8").view(f"{code}[{unit}]"),
        lists(MOMENTS),
        st.sampled_from(["M8", "m8"]),
        UNITS,
    )
    nullable = st.builds(
        lambda each, name: pd.array(each, dtype=name),
        lists(st.none() | st.integers(0, 1)),
        st.sampled_from(["Int64", "UInt8", "Float64", "Float32", "boolean"]),
    )
    texts = st.builds(
        lambda each, name: pd.array(each, dtype=name), lists(st.none() | TEXTS), st.sampled_from(["str", "string"])
    )
    objects = lists(st.none() | TEXTS | st.integers() | st.dates() | st.just(pd.NA)).map(
        lambda each: pd.Series(each, dtype=object).to_numpy()
    )
    codes = lists(st.integers(-1, 2))
    kinds = st.sampled_from([[1, 2, 3], ["a", "b", "c"], [0.5, 1.5, 2.5], list(pd.date_range("2026", periods=3))])
    categories = st.builds(
        lambda each, kind, ordered: pd.Categorical.from_codes(each, kind, ordered=ordered), codes, kinds, st.booleans()
    )
    intervals = lists(st.none() | st.sampled_from([pd.Interval(0, 1), pd.Interval(1, 2)])).map(
        lambda each: pd.arrays.IntervalArray(each, dtype="interval[float64, right]")
    )
    periods = lists(st.integers(0, 600)).map(lambda each: pd.PeriodIndex.from_ordinals(each, freq="M").array)
    plain = numbers | times | objects
    return plain | nullable | texts | categories | intervals | periods | st.builds(zoned, lists(MOMENTS), UNITS, ZONES)


LABELS = st.none() | TEXTS | st.integers(0, 3) | st.tuples(TEXTS, st.integers(0, 3))


@st.composite
def indexes(draw: Any, rows: int) -> Any:
    name = draw(LABELS)
    kind = draw(st.sampled_from(["range", "values", "several", "dates"]))
    if kind == "range":
        start, step = draw(st.integers(-5, 5)), draw(st.integers(1, 3))
        return pd.RangeIndex(start, start + step * rows, step, name=name)
    if kind == "several":
        levels = [draw(columns(rows)) for _ in range(draw(st.integers(1, 3)))]
        return pd.MultiIndex.from_arrays(
            levels, names=draw(st.lists(LABELS, min_size=len(levels), max_size=len(levels)))
        )
    if kind == "dates":
        return pd.date_range("2026-01-31", periods=rows, freq=draw(st.sampled_from(["D", "h", "MS", "W-SUN", "3min"])))
    values = draw(columns(rows).filter(lambda values: values.dtype != np.float16))
    return pd.Index(values, dtype=values.dtype, name=name)


@st.composite
def frames(draw: Any) -> Any:
    rows = draw(st.integers(0, 4))
    index = draw(indexes(rows))
    values = draw(st.lists(columns(rows), max_size=4))
    table = pd.DataFrame({at: pd.Series(each, index=index, dtype=each.dtype) for at, each in enumerate(values)}, index)
    table.columns = draw(indexes(len(values)))
    return table


def back(thing: Any) -> Any:
    return wire.decode(wire.encode(thing))


@given(frames())
def test_a_frame_comes_back_with_its_values_dtypes_index_and_names(table: Any) -> None:
    crossed = back(table)
    pd.testing.assert_frame_equal(crossed, table, check_exact=True, check_index_type=True, check_column_type=True)
    assert crossed.equals(table)
    assert repr(crossed) == repr(table)
    pd.testing.assert_index_equal(crossed.index, table.index, exact=True)
    pd.testing.assert_index_equal(crossed.columns, table.columns, exact=True)


@given(st.integers(0, 4).flatmap(lambda rows: st.tuples(columns(rows), indexes(rows), LABELS)))
def test_a_series_comes_back_with_its_values_dtype_index_and_name(parts: Any) -> None:
    values, index, name = parts
    series = pd.Series(values, index=index, name=name, dtype=values.dtype)
    crossed = back(series)
    pd.testing.assert_series_equal(crossed, series, check_exact=True, check_index_type=True)
    assert crossed.equals(series)
    assert repr(crossed) == repr(series)


@given(st.integers(0, 4).flatmap(indexes))
def test_an_index_comes_back_as_its_own_class_with_its_names_and_its_frequency(index: Any) -> None:
    crossed = back(index)
    assert type(crossed) is type(index)
    pd.testing.assert_index_equal(crossed, index, exact=True)
    assert getattr(crossed, "freq", None) == getattr(index, "freq", None)
    # That of several levels with a time that is missing cannot be shown, by pandas itself.
    assert isinstance(index, pd.MultiIndex) or repr(crossed) == repr(index)


@given(columns(2))
def test_an_array_of_pandas_its_dtype_and_what_is_in_it_come_back(values: Any) -> None:
    for thing in (values, values.dtype, *values):
        crossed = back(thing)
        assert type(crossed) is type(thing)
        assert repr(crossed) == repr(thing)
        assert wire.encode(crossed) == wire.encode(thing)


@pytest.mark.parametrize("thing", [pd.NA, pd.NaT], ids=repr)
def test_what_stands_for_a_missing_value_is_the_one_that_there_is(thing: Any) -> None:
    assert back(thing) is thing


FORMS = st.sampled_from(sorted(tables._SPARSE))


@given(
    hnp.arrays(st.sampled_from(["f8", "f4", "i8", "?", "c16"]), st.tuples(st.integers(1, 4), st.integers(1, 4))), FORMS
)
def test_a_sparse_matrix_comes_back_in_its_format_with_its_entries(dense: np.ndarray, form: str) -> None:
    matrix = getattr(scipy.sparse, form)(dense)
    crossed = back(matrix)
    assert type(crossed) is type(matrix)
    assert (crossed.shape, crossed.dtype, crossed.nnz) == (matrix.shape, matrix.dtype, matrix.nnz)
    assert crossed.toarray().tobytes() == matrix.toarray().tobytes()
    assert wire.encode(crossed) == wire.encode(matrix)


def test_entries_that_are_zero_or_there_twice_stay_so() -> None:
    matrix = scipy.sparse.coo_array(([1.0, 0.0, 2.0], ([0, 0, 0], [1, 2, 1])), shape=(2, 3))
    assert back(matrix).data.tolist() == [1.0, 0.0, 2.0]
    assert back(scipy.sparse.coo_array(([1.0], ([2],)), shape=(5,))).shape == (5,)


@needs_torch
@given(hnp.arrays(st.sampled_from(["f8", "f4", "i8", "?", "c16", "u1"]), hnp.array_shapes(min_dims=0)), st.booleans())
def test_a_tensor_comes_back_as_one(array: np.ndarray, asks: bool) -> None:
    tensor = torch.from_numpy(array).requires_grad_(asks and array.dtype.kind in "fc")
    crossed = back(tensor)
    assert type(crossed) is torch.Tensor
    assert (crossed.dtype, crossed.requires_grad) == (tensor.dtype, tensor.requires_grad)
    assert crossed.detach().numpy().tobytes() == array.tobytes()


@needs_torch
def test_parameters_half_precision_views_and_conjugates_cross() -> None:
    for tensor in (
        torch.nn.Parameter(torch.zeros(2)),
        torch.tensor([1.5, float("nan")], dtype=torch.bfloat16),
        torch.arange(6).reshape(2, 3).T,
        torch.tensor([1j]).conj(),
    ):
        crossed = back(tensor)
        assert type(crossed) is type(tensor)
        assert crossed.dtype is tensor.dtype
        assert repr(crossed) == repr(tensor)


@needs_torch
def test_without_torch_a_tensor_is_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = wire.encode((torch.tensor([1.5, -2.0]), torch.tensor([1.5], dtype=torch.bfloat16)))
    monkeypatch.setattr(tables, "library", lambda name: None)
    plain, half = wire.decode(payload)
    assert (plain.dtype, plain.tolist()) == (np.float32, [1.5, -2.0])
    assert (half.dtype, half.tolist()) == (np.float32, [1.5])


def test_without_pandas_a_frame_stays_opaque_and_what_is_beside_it_crosses(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = wire.encode((pd.DataFrame({"a": pd.Categorical(["x"])}), scipy.sparse.eye_array(2).tocsr(), 1.5))
    monkeypatch.setattr(tables, "library", lambda name: None)
    assert wire.decode(payload) == (Opaque("DataFrame"), Opaque("csr_array"), 1.5)


def test_in_the_sandbox_no_library_is_imported_that_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = wire.encode(pd.Series([1]))
    monkeypatch.setattr(tables, "library", sys.modules.get)
    monkeypatch.delitem(sys.modules, "pandas")
    assert wire.decode(payload) == Opaque("Series")
    assert "pandas" not in sys.modules


NOTEBOOK = """
import pandas as pd
def table(): return pd.DataFrame({"a": [1.5, 2], "c": pd.Categorical(["p", "q"])}, index=pd.RangeIndex(2, name="n"))
def grown(table): return table.assign(new=table["a"] * 2)
"""


@pytest.mark.sandbox
def test_a_table_comes_out_of_the_sandbox_and_goes_in() -> None:
    limits = Limits(cell_seconds=60, call_seconds=60, submission_seconds=300, memory_mb=2048, file_mb=8, output_kb=4)
    with Worker("bubblewrap", ("numpy", "pandas")) as worker, worker.session(limits) as session:
        session.run([NOTEBOOK])
        with session.row() as row:
            (_, table) = row.exchange(protocol.Call("table", (), {}), "table")
            (_, grown) = row.exchange(protocol.Call("grown", (table,), {}), "grown")
    kinds = pd.Categorical(["p", "q"])
    right = pd.DataFrame({"a": [1.5, 2], "c": kinds, "new": [3.0, 4]}, index=pd.RangeIndex(2, name="n"))
    pd.testing.assert_frame_equal(grown, right, check_index_type=True)


class OwnFrame(pd.DataFrame):
    """A class of a student's."""


@pytest.mark.parametrize(
    "thing",
    [
        *(OwnFrame({"a": [1]}), pd.DataFrame({"a": [len]}), pd.Series([{1: len}]), pd.Index([len])),
        *(pd.Series(pd.arrays.SparseArray([1, 0])), pd.Series([1]).rolling(1), pd.DataFrame({"a": [1]}).groupby("a")),
        *(pd.Categorical(range(5000)), pd.Timestamp("2026", tz="dateutil/Europe/Berlin")),
        *(scipy.sparse.eye_array(2).todok(), scipy.sparse.lil_array((10**6, 1))),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_is_no_plain_data_of_a_library_s_stays_inside(thing: Any) -> None:
    crossed = wire.decode(wire.encode([thing, 1], calls.opaque))
    assert crossed == [Opaque(type(thing).__name__), 1]


ONE = pd.RangeIndex(1)
TWO = np.zeros(2)
CODES, ROWS = np.array([0, 1], "i1"), np.array([0, 1])
INDEX, SERIES = frame("pandas.RangeIndex", (0, 2, 1, None)), frame("pandas.Series", (TWO, pd.RangeIndex(2), None))
BEYOND = {
    "columns of other lengths": frame("pandas.DataFrame", (pd.RangeIndex(2), pd.Index(["a", "b"]), [TWO, np.zeros(3)])),
    "a column without a name": frame("pandas.DataFrame", (pd.RangeIndex(2), pd.Index(["a"]), [TWO, TWO])),
    "a frame of two dimensions": frame("pandas.DataFrame", (pd.RangeIndex(2), ONE, [np.zeros((2, 2))])),
    "a frame of an index that is none": frame("pandas.DataFrame", ([0, 1], ONE, [TWO])),
    "a frame of endless rows": frame("pandas.DataFrame", (0, 0, [])).replace(
        wire.encode(0), frame("pandas.RangeIndex", (0, 2**60, 1, None))
    ),
    "a frame of texts of numpy's": frame("pandas.DataFrame", (pd.RangeIndex(2), ONE, [np.array(["a", "b"])])),
    "a series longer than its index": frame("pandas.Series", (TWO, ONE, None)),
    "a series with a list for a name": frame("pandas.Series", (TWO, pd.RangeIndex(2), [1])),
    "a series of an unknown unit": frame("pandas.Series", (np.zeros(2, "M8[3s]"), pd.RangeIndex(2), None)),
    "a series of years": frame("pandas.Series", (np.zeros(2, "M8[Y]"), pd.RangeIndex(2), None)),
    "an index that lies about its length": frame("pandas.RangeIndex", (0, 2**62, 1, None)),
    "an index of no step": frame("pandas.RangeIndex", (0, 5, 0, None)),
    "an index beyond 64 bits": frame("pandas.RangeIndex", (2**70, 2**70, 1, None)),
    "an index with a frequency that it has not": frame("pandas.Index", (np.array([0, 5], "M8[s]"), None, "D")),
    "an index with a frequency that is none": frame("pandas.Index", (np.array([0], "M8[s]"), None, "DateOffset")),
    "numbers with a frequency": frame("pandas.Index", (TWO, None, "D")),
    "a calendar of many steps": frame("pandas.Index", (np.zeros(20_000, "M8[s]"), None, "B")),
    "levels without codes": frame("pandas.MultiIndex", ([ONE], [], [None])),
    "codes of several lengths": frame("pandas.MultiIndex", ([ONE, ONE], [CODES * 0, CODES[:1]], [None, None])),
    "codes of what is not there": frame("pandas.MultiIndex", ([ONE], [CODES], [None])),
    "codes far below": frame("pandas.MultiIndex", ([ONE], [np.array([-2])], [None])),
    "categories that are not there": frame("pandas.Categorical", (CODES, pd.CategoricalDtype(["a"]))),
    "categories of nothing": frame("pandas.Categorical", (CODES, pd.CategoricalDtype())),
    "categories that are twice there": frame("pandas.CategoricalDtype", (pd.Index(["a", "a"]), False)),
    "categories that collide": frame("pandas.CategoricalDtype", (pd.Index(np.arange(5000) << 32), False)),
    "many categories in many places": wire.encode([0] * 20).replace(
        wire.encode(0), frame("pandas.CategoricalDtype", (pd.Index(np.arange(4000) << 32), False))
    ),
    "many codes of few categories": frame(
        "pandas.Categorical", (np.zeros(9_000_000, "i1"), pd.CategoricalDtype(["a" * 100]))
    ),
    "many codes of few labels": frame("pandas.MultiIndex", ([ONE], [np.zeros(9_000_000, "i1")], [None])),
    "texts that are numbers": frame("pandas.strings", (pd.StringDtype("python"), [1])),
    "texts of a dtype that is none": frame("pandas.strings", (np.dtype("O"), ["a"])),
    "a storage that is none": frame("pandas.StringDtype", ("disk", True)),
    "a dtype that would be read": frame("pandas.dtype", "category"),
    "numbers of another dtype": frame("pandas.nullable", ("Int64", TWO, TWO > 0)),
    "a mask of another length": frame("pandas.nullable", ("Float64", TWO, np.zeros(3, "?"))),
    "a zone that is a file": frame("pandas.DatetimeTZDtype", ("ns", "dateutil//etc/passwd")),
    "a zone above": frame("pandas.DatetimeTZDtype", ("ns", "../../etc/passwd")),
    "a zone that is none": frame("pandas.DatetimeTZDtype", ("ns", "Nowhere/Land")),
    "times of a zone in another unit": frame("pandas.zoned", (np.zeros(1, "M8[s]"), pd.DatetimeTZDtype("ns", "UTC"))),
    "intervals of two lengths": frame("pandas.intervals", (ONE, pd.RangeIndex(2), "left")),
    "an interval of no side": frame("pandas.Interval", (0, 1, "up")),
    "an interval that ends before it begins": frame("pandas.Interval", (1, 0, "left")),
    "a period of no frequency": frame("pandas.Period", (0, "__import__")),
    "a period beyond 64 bits": frame("pandas.Period", (2**70, "D")),
    "a moment that is a text": frame("pandas.Timestamp", ("now", None, 0)),
    "a moment before all": frame("pandas.Timestamp", (np.datetime64(-(2**62), "Y"), None, 0)),
    "NA with parts": frame("pandas.NA", [1]),
    "a kind of pandas that is none": frame("pandas.read_pickle", "/tmp/x"),
    "rows beyond the matrix": frame("scipy.csr_array", ((1, 2), TWO, (np.array([0, 5]), np.array([0, 2])))),
    "rows before the matrix": frame("scipy.csr_array", ((1, 2), TWO, (np.array([0, -1]), np.array([0, 2])))),
    "row pointers that go back": frame("scipy.csr_matrix", ((2, 2), TWO, (np.array([0, 1]), np.array([0, 2, 1])))),
    "row pointers that are too few": frame("scipy.csc_matrix", ((2, 2**40), TWO, (np.array([0, 1]), np.array([0, 2])))),
    "blocks of another shape": frame("scipy.bsr_array", ((4, 4), np.zeros((1, 3, 3)), (ROWS[:1], ROWS))),
    "entries outside": frame("scipy.coo_array", ((2, 2), TWO, (np.array([0, 2]), np.array([0, 1])))),
    "entries without a place": frame("scipy.coo_array", ((2, 2), TWO, (np.array([0]), np.array([0])))),
    "places that are no numbers": frame("scipy.coo_array", ((2, 2), TWO, (TWO, TWO))),
    "entries that are objects": frame("scipy.coo_array", ((2, 2), np.array([None]), (np.array([0]), np.array([0])))),
    "diagonals that are one": frame("scipy.dia_array", ((2, 2), np.zeros((2, 2)), (np.array([0, 0]),))),
    "a matrix of endless lists": frame("scipy.lil_array", ((2**40, 1), TWO, (np.array([0, 1]), np.array([0, 0])))),
    "many matrices of lists": wire.encode([0] * 20).replace(
        wire.encode(0), frame("scipy.lil_array", ((10**5, 1), TWO, (np.array([0, 1]), np.array([0, 0]))))
    ),
    "a matrix of a shape that is none": frame("scipy.coo_array", ((-1, 2), TWO[:0], (CODES[:0], CODES[:0]))),
    "a tensor of another dtype": frame("torch.Tensor", ("float32", TWO, False)),
    "a tensor of texts": frame("torch.Tensor", ("float64", "abc", False)),
    "a tensor of integers that asks for gradients": frame("torch.Tensor", ("int64", np.zeros(1, "i8"), True)),
}  # fmt: skip


@pytest.mark.parametrize("payload", BEYOND.values(), ids=BEYOND)
def test_what_lies_about_itself_is_refused_before_memory_is_taken(payload: bytes) -> None:
    if payload.count(b"torch.") and torch is None:
        pytest.skip("NOT TESTED: torch is not installed (pip install torch)")
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            wire.decode(payload)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


THINGS = frames() | columns(2) | indexes(3)


@given(st.sampled_from(sorted(tables._MADE)), trees | st.tuples(THINGS | trees, THINGS | trees, THINGS | trees))
def test_any_parts_under_the_name_of_any_kind_raise_nothing_but_a_wire_error(name: str, parts: Any) -> None:
    with contextlib.suppress(WireError):
        wire.decode(frame(name, parts))


@given(THINGS, st.data())
def test_a_damaged_frame_raises_nothing_but_a_wire_error(thing: Any, data: Any) -> None:
    payload = bytearray(wire.encode(thing))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        wire.decode(payload[: data.draw(st.integers(0, len(payload)))])
