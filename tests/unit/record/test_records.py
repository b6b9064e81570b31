from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.base.errors import BadRecord, MachineError
from matrix.record import records
from matrix.record.records import Error, Fusion, Header, Host, Observation, Record

HOST = Host(host_class="x86-avx2", cpu="A processor", cpu_flags=["avx2"], cores=2, kernel="6.1")
CASE = "g4-k3/bias_relu/f32/nhwc"


def header(**changes) -> Header:
    fields = {
        "run": "tf2.8.4-py310-cpu+onednn-off", "release": "2.8.4", "python": "3.10.13", "backend": "cpu",
        "profile": "onednn-off", "engine": "venv", "status": "complete", "started": "2026-01-01T00:00:00Z",
        "host": HOST, "observations": 0, "suite_sha256": "a" * 64, "lock_sha256": "b" * 64,
    }  # fmt: skip
    return Header(**fields | changes)


def observation(**changes) -> Observation:
    fields = {"approach": "nn-conv2d", "mode": "graph", "check": "forward", "case": CASE}
    return Observation(**fields | {"outcome": "pass", "evidence": "executed"} | changes)


RECORD = Record(
    header=header(observations=3),
    observations=(
        observation(),
        observation(mode="eager", outcome="error", error=Error(type="UnimplementedError", message="no | groups")),
        observation(check="fusion", fusion=Fusion(kernel="unknown", epilogue="fused", ops={"_FusedConv2D": 1},
                                                  source="partition_graphs")),
    ),
)  # fmt: skip


def test_a_record_is_read_as_it_was_written(tmp_path):
    file = records.write(tmp_path, RECORD)
    assert file == tmp_path / "runs/x86-avx2/venv/tf2.8.4-py310-cpu+onednn-off.jsonl"
    assert records.read(file) == RECORD
    assert list(records.read_all(tmp_path)) == [RECORD]
    assert list(records.headers(tmp_path)) == [RECORD.header]


def test_lines_have_sorted_keys_and_no_empty_ones():
    first, second, *_ = records.encode(RECORD).decode().splitlines()
    assert first.startswith('{"format":"run/1"') or '"format":"run/1"' in first
    assert list(msgspec.json.decode(second)) == ["approach", "case", "check", "evidence", "mode", "outcome"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data[:-1], "cut off"),
        (lambda data: data[: data.rindex(b"\n", 0, -1) + 1], "promises 3 observations, 2 follow"),
        (lambda data: data.replace(b"run/1", b"run/2"), "line 1: Invalid value 'run/2'"),
        (lambda data: data.replace(b'"graph"', b'"grahp"', 1), "line 2: Invalid enum value"),
        (lambda data: data.replace(b'"eager"', b'"graph"'), "observed twice"),
        (lambda data: data.replace(b'"release":"2.8.4"', b'"release":"2.9.3"'), "is not of 2.9.3"),
        (lambda data: data.replace(b'"status":"complete"', b'"status":"partial"'), "has no reason"),
        (lambda data: data.replace(b"no | groups", b"\xff"), "line 3: "),
        (lambda data: data.replace(b"no | groups", b"x" * 301), "line 3: Expected `str` of length <= 300"),
        (lambda data: data.replace(b'"outcome"', b'"outcame"', 1), "line 2: Object contains unknown field"),
        (lambda data: data.replace(b"2026-01-01T", b"9999-01-01T"), "clock says .*: one of them is wrong"),
        (lambda data: data.replace(b"2026-01-01T", b"0001-01-01T"), "before there was a TensorFlow"),
        (lambda data: data.replace(b"2026-01-01T", b"2026-99-99T"), "line 1: it started at no time"),
        (lambda data: data.replace(b'"cores":2', b'"cores":2,"gpu":"A GPU"'), "on the processor names a GPU"),
        (lambda data: data.replace(b'"lock_sha256"', b'"recipe_sha256"'), "must have their hashes"),
        (lambda data: data.replace(b'"suite_sha256"', b'"recipe_sha256"'), "must have their hashes"),
        (lambda data: data.replace(b'"observations":3', b'"observations":3,"seconds":1e308'), "<= 604800"),
        (lambda data: data.replace(b"no | groups", b"x" * 70_000), "longer than 64 KiB"),
        (lambda data: data * 10_000, "larger than 4 MiB"),
        (lambda data: b"", "cut off"),
        (lambda data: b"[" * 100_000 + b"\n", "line 1: "),
    ],
)
def test_what_is_not_a_record_says_why(tmp_path, change, told):
    file = records.write(tmp_path, RECORD)
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(BadRecord, match=told):
        records.read(file)


def test_a_record_in_a_foreign_place_is_refused(tmp_path):
    file = records.write(tmp_path, RECORD)
    elsewhere = file.rename(file.with_name("tf2.9.3-py310-cpu+onednn-off.jsonl"))
    with pytest.raises(BadRecord, match=r"says that it belongs at x86-avx2/venv/tf2\.8\.4"):
        records.read(elsewhere)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_folder_that_is_a_link_is_followed(tmp_path, depth):
    """The engine, the host class, or `runs` itself."""
    file = records.write(tmp_path / "reports", RECORD)
    folder = file.parents[depth - 1]
    elsewhere = folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(elsewhere)
    with pytest.raises(BadRecord, match=f"{folder.name} is a link, which is not followed"):
        records.read(file)
    assert list(records.headers(tmp_path / "reports")) == []
    with pytest.raises(MachineError, match="through which nothing is written"):
        records.write(tmp_path / "reports", RECORD)


def test_a_record_that_breaks_the_contract_is_not_written(tmp_path):
    bad = Record(header=header(observations=2), observations=(observation(),))
    with pytest.raises(BadRecord):
        records.write(tmp_path, bad)
    assert not list(tmp_path.rglob("*.jsonl"))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_record_or_a_clear_error(data):
    with pytest.raises(BadRecord):
        records.decode(data)


@given(st.data())
def test_a_damaged_record_is_read_or_refused(data):
    whole = bytearray(records.encode(RECORD))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    try:
        read = records.decode(bytes(whole))
    except BadRecord:
        return
    assert records.decode(records.encode(read)) == read


@pytest.mark.parametrize(
    "arrange",
    [
        lambda one, two, three: [one + two, b"", three],
        lambda one, two, three: [one + two, three, b" "],
        lambda one, two, three: [one, two.replace(b",", b",\n", 1), three],
        lambda one, two, three: [one, two + three],
        lambda one, two, three: [one, two, three + three],
    ],
    ids=["two on a line", "two on a line, then a blank", "over two lines", "two on the last", "one too many"],
)
def test_an_observation_is_one_line(arrange):
    """Decoding all lines at once must not accept what is refused line by line."""
    first, *rest = records.encode(RECORD).splitlines()
    lines = arrange(*rest)
    with pytest.raises(BadRecord, match=r"line \d"):
        records.decode(b"\n".join([first, *lines]) + b"\n")
    count = len(b"\n".join(lines).split(b"\n"))
    with pytest.raises(BadRecord, match=r"line \d"):
        records.decode(b"\n".join([first.replace(b'"observations":3', b'"observations":%d' % count), *lines]) + b"\n")
