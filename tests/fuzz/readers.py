"""Every reader of the project as a function of bytes: it takes them, or raises only the errors that it promises.

The seeds of a reader are real inputs: published records, the data under matrix/data/, what a person types.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

import click
import msgspec
from unit import timings

from matrix import spine
from matrix.answers import contribution_comparison, explain
from matrix.answers.answer_data import Answers
from matrix.answers.error_answers import error_answers
from matrix.answers.model import graph, keras, tflite
from matrix.answers.model import reader as model_reader
from matrix.answers.model.layers import Unreadable
from matrix.answers.situation import Asked
from matrix.base import ids, paths
from matrix.base.errors import BadData, BadRecord, BadUsage, MatrixError
from matrix.base.text import plain
from matrix.catalog import backends, known_errors, locks
from matrix.catalog import releases as catalog
from matrix.cli import main as command_line
from matrix.judge import judged, support
from matrix.judge.verdicts import JudgedRun, judge, judged_runs
from matrix.plan import shards
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection, select_profiles, select_releases
from matrix.provision.engines.protocol import Ended, Environment
from matrix.record import contribution, file_format, quarantine, records, speed_records
from matrix.record.records import Record
from matrix.report import speed_tables as speed_in_words
from matrix.report.markdown import escape
from matrix.report.report import report
from matrix.run import admission, merge, runner
from matrix.run.progress import in_words
from matrix.run.runner import Job
from matrix.run.stream import LineStream, Stream
from matrix.site import build as site
from matrix.site import content as site_content
from matrix.speed import comparisons, estimates
from matrix.speed.speed_stream import Stream as SpeedStream
from matrix.update import resolve

MODELS = Path(__file__).parents[1] / "unit" / "data" / "models"
SCRATCH = Path(tempfile.mkdtemp(prefix="matrix-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
quarantine.FOLDER = SCRATCH / "quarantine"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """`read` raises nothing but `refuses`. `past_the_first`: whether an input passes the check that comes first.

    `code`: the functions and classes that read, whose branches the fuzz is to cover; a function stands for the private
    functions of its module that it calls, a class for its methods. `share`: this reader's share of all inputs, smaller
    where reading is slow.
    """

    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]
    seeds: Callable[[], Sequence[bytes]]
    past_the_first: Callable[[bytes], bool]
    code: tuple[Callable[..., object], ...]
    share: int


def _record(data: bytes) -> object:
    """What is accepted is written as it was read, and lies in its folder."""
    record = records.decode(data)
    assert records.decode(records.encode(record)) == record
    header = record.header
    _inside(SCRATCH, records.path(SCRATCH, header.host.host_class, header.engine, header.run))
    return record


def _table(data: bytes) -> object:
    """What is accepted can be judged, and told as text."""
    record = records.decode_known(data)
    judgements = judge([record])
    told = support.build(_catalog(), [record], judgements, _known())
    support.decode(support.encode(told))
    return [escape(note) for verdict in told.verdicts for note in verdict.notes]


def _laid(data: bytes, folder: Path) -> Path:
    """Lay the record into a fresh folder of reports, where it says that it belongs, or else where a seed does."""
    shutil.rmtree(folder, ignore_errors=True)
    place = folder / "runs" / "x86-avx512vnni" / "venv" / "tf2.8.4-py310-cpu+default.jsonl"
    with contextlib.suppress(BadRecord):
        header = records.decode(data).header
        place = records.path(folder, header.host.host_class, header.engine, header.run)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return folder


def _reported(data: bytes) -> object:
    """Whatever lies in the folder, the report is made; what it leaves out is named."""
    folder = _laid(data, SCRATCH / "reported")
    summary = report(folder, None)
    assert bool(summary.faults) == (records.readable(folder)[0] == [])
    if summary.faults:
        raise summary.faults[0]
    return summary


def _pages(data: bytes) -> object:
    """Whatever lies in the folder, the pages are made."""
    content = site_content.load(_laid(data, SCRATCH / "reported"))
    written = [path for path, _ in site.files(content)]
    _inside(SCRATCH, *(SCRATCH / path for path in written))
    if content.faults:
        raise content.faults[0]
    return written


def _brought(data: bytes) -> object:
    """What a shard brings is merged beside a sound record, or named: what is then published can be read and judged."""
    reports = SCRATCH / "merged"
    shard = _laid(data, SCRATCH / "shard")
    shutil.rmtree(reports, ignore_errors=True)
    together = spine.merge([shard], reports, None)
    published, faults = records.readable(reports)
    assert not faults and len(published) == (not together.faults), together.faults
    if together.faults:
        raise together.faults[0]
    return judge(published)


def _plan(data: bytes) -> object:
    """What a plan says no shard brought becomes records that can be read."""
    file = SCRATCH / "plan.json"
    file.write_bytes(data)
    plan = shards.read(file)
    absent, _ = merge._absent(plan, [_short()[0].header])
    for candidate in absent:
        assert records.decode(records.encode(candidate.content)) == candidate.content
    return plan.too_long()


def _estimated(data: bytes) -> object:
    """Whatever the records say of seconds, runs can be divided by it."""
    folder = _laid(data, SCRATCH / "estimated")
    planned = plan_runs(_catalog(), Selection(releases=("2.8.4",)), "venv")
    return shards.encode(shards.plan(planned, 2, shards.seconds_of(folder)))


def _concluded(data: bytes) -> object:
    """Whatever a target says, the runner comes to a record that can be written, judged and told."""
    told = Stream(_wanted())
    engine = SimpleNamespace(start=lambda *_: _Says(data))
    (planned, *_) = plan_runs(_catalog(), Selection(releases=("2.8.4",), profiles=("onednn-off",)), "venv")
    environment = Environment(target=planned.run.target, where="", recipe_sha256="0" * 64, lock_sha256="0" * 64)
    job = Job(planned=dataclasses.replace(planned, engine="fuzz"), environment=environment)
    with patch.dict(runner.ENGINES, fuzz=engine), patch.object(paths, "LOGS", SCRATCH / "logs"):
        observed = runner.observe(job, list(_wanted()), lambda _: None)
    record = dataclasses.replace(observed, header=msgspec.structs.replace(observed.header, engine="venv"))
    in_words(record)
    judge([records.decode(records.encode(record))])
    told.feed(data)  # refuses as the runner's own stream did, so that what is taken is counted
    return record


class _Says:
    """A process of an engine that says this, dies of some signal, and is gone."""

    def __init__(self, data: bytes) -> None:
        self._left, self._status = [data[: len(data) // 2], data[len(data) // 2 :]], -(len(data) % 65)

    def read(self, _seconds: float) -> tuple[str, bytes]:
        if not self._left:
            raise EOFError
        return "out", self._left.pop(0)

    def kill(self) -> None:
        self._left.clear()

    def wait(self) -> Ended:
        return Ended(status=self._status)


def _in_place(data: bytes) -> object:
    """The same from a file, in the folder that a seed names."""
    place = SCRATCH / "runs" / "x86-avx512vnni" / "venv" / "tf2.8.4-py310-cpu+default.jsonl"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    list(records.headers(SCRATCH))
    return records.read(place)


def _stream(data: bytes) -> object:
    """In pieces, as a target sends it."""
    stream, cut = Stream(_wanted()), len(data) // 3
    stream.feed(data[:cut])
    stream.feed(data[cut:])
    return [*stream.observations, stream.is_whole]


def _speed_stream(data: bytes) -> object:
    """In pieces; what is whole comes to points that can be published."""
    stream, cut = SpeedStream(), len(data) // 3
    stream.feed(data[:cut])
    stream.feed(data[cut:])
    return stream.is_whole and [msgspec.json.encode(point) for point in estimates.points([stream, stream])]


def _speed_file(data: bytes) -> object:
    """What is accepted is written as it was read, lies in its folder, and can be told as text."""
    made = speed_records.decode(data)
    assert speed_records.decode(speed_records.encode(made)) == made
    _inside(SCRATCH, speed_records.path(SCRATCH, *speed_records.place(made)))
    return [list(speed_in_words.summary(made)), comparisons.places([made], _catalog())]


def _entries(name: str, load: Callable[[Path], object]) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        (SCRATCH / name).write_bytes(data)
        return load(SCRATCH)

    return read


def _whole_catalog(data: bytes) -> object:
    """Releases and profiles in one file, apart by a form feed; what is accepted can be planned."""
    releases, _, profiles = data.partition(b"\f")
    (SCRATCH / "releases.toml").write_bytes(releases)
    (SCRATCH / "profiles.toml").write_bytes(profiles)
    loaded = catalog.load(SCRATCH)
    try:
        return plan_runs(loaded, Selection(releases=("all",), backends=ids.BACKENDS), "venv")
    except BadUsage:
        return None


def _contribution(data: bytes) -> object:
    """What is accepted can be compared with ours, told, and taken into its folder."""
    place = SCRATCH / "probe.jsonl"
    place.write_bytes(data)
    sent = contribution.read(place)
    list(contribution_comparison.lines(contribution_comparison.compare(sent, _ours())))
    taken = contribution.take(SCRATCH, sent)
    _inside(SCRATCH, taken)
    taken.unlink()
    return sent


def _error_text(data: bytes) -> object:
    """Recognised, explained and told."""
    text = data.decode("utf-8", "surrogateescape")
    found = known_errors.recognise(_known(), text)
    explanation = explain.explain(text, _answers(), Asked(release="2.8", backend="cpu"))
    "\n".join(explain.lines(explanation)).encode("utf-8", "surrogateescape")
    plain(text).encode("utf-8", "surrogateescape")
    return found


def _model(data: bytes) -> object:
    """A file of any format, or a Keras model's description alone."""
    if data.startswith(b"{"):
        return keras.read(keras.parse(data.decode("utf-8", "replace")), {}, "Keras archive")
    place = SCRATCH / "saved_model.pb" if data.startswith(_models()[-1][:4]) else SCRATCH / "model"
    place.write_bytes(data)
    return model_reader.read(str(place))


def _lock(data: bytes) -> object:
    backend = ids.BACKENDS[len(data) % len(ids.BACKENDS)]
    target = ids.Target(release="2.0.4", python="3.7", backend=backend)
    (SCRATCH / f"{target.id}.txt").write_bytes(data)
    paths.LOCKS, kept = SCRATCH, paths.LOCKS
    try:
        return locks.install_command(target)
    finally:
        paths.LOCKS = kept


def _id(data: bytes) -> object:
    """A name that is taken comes back as it was, and names no other folder."""
    text = data.decode("utf-8", "surrogateescape")
    run = ids.parse_run(text) if "+" in text else None
    target = run.target if run else ids.parse_target(text)
    assert text == (run or target).id
    _inside(SCRATCH, records.path(SCRATCH, "x86-avx2", "venv", text), locks.path(target))
    return run


def _selector(data: bytes) -> object:
    text = data.decode("utf-8", "surrogateescape")
    kind, _, name = text.partition(":")
    return select_profiles(_catalog(), [name]) if kind == "profile" else select_releases(_catalog(), [name])


def _arguments(data: bytes) -> object:
    """Parsed as `python -m matrix` does, and planned; nothing is carried out. Faults are shown as they are there."""
    arguments = data.decode("utf-8", "surrogateescape").split("\0")
    try:
        return _planned(arguments)
    except click.ClickException as fault:
        fault.show(io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace"))
        raise


def _planned(arguments: list[str]) -> object:
    with contextlib.redirect_stdout(io.StringIO()):
        context = command_line.cli.make_context("matrix", arguments)
        left = [*context._protected_args, *context.args]
        if not left:
            context.fail("no verb")
        name, command, rest = command_line.cli.resolve_command(context, left)
        asked = command.make_context(name, rest, parent=context).params if command else {}
        named = {key: asked[key] for key in ("releases", "backends", "profiles") if name == "run"}
        return plan_runs(_catalog(), Selection(**named), "venv") if named else asked


def _inside(folder: Path, *files: Path) -> None:
    for file in files:
        assert file.resolve().is_relative_to(folder) or file.resolve().is_relative_to(paths.LOCKS), file


@cache
def _catalog() -> catalog.Catalog:
    return catalog.load()


@cache
def _known() -> tuple[known_errors.KnownError, ...]:
    return known_errors.load()


@cache
def _answers() -> Answers:
    return error_answers(_published(), _known())


@cache
def _ours() -> list[JudgedRun]:
    return list(judged_runs(_published()))


@cache
def _published() -> tuple[Record, ...]:
    return tuple(records.read_all(paths.REPORTS))


@cache
def _short() -> tuple[Record, ...]:
    """Line 1 and a few observations of every published record, so that mutations hit varied places."""
    random, found = Random(0), []
    for record in _published():
        for size in (0, 1, 4, 12):
            some = random.sample(record.observations, min(size, len(record.observations)))
            header = msgspec.structs.replace(record.header, observations=len(some))
            found.append(Record(header=header, observations=tuple(some)))
    return tuple(found)


@cache
def _records() -> list[bytes]:
    return [records.encode(record) for record in _short()]


@cache
def _contributions() -> list[bytes]:
    """What the probe would have made of the runs that were executed on a CPU."""
    return [_sent(one) for one in _short() if one.header.suite_sha256 and one.header.backend == "cpu"]


def _sent(record: Record) -> bytes:
    header, lines = record.header, records.encode(record).splitlines(keepends=True)[1:]
    first = {
        "format": "contributed/1", "release": header.release, "python": header.python, "platform": "linux",
        "made": header.started, "host": msgspec.to_builtins(header.host), "packages": header.packages or {},
        "environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}, "onednn": header.onednn, "suite_sha256": header.suite_sha256,
        "observations": len(lines),
    }  # fmt: skip
    return json.dumps(first, sort_keys=True).encode() + b"\n" + b"".join(lines)


@cache
def _whole_records() -> list[bytes]:
    return [records.encode(record) for record in _published()]


@cache
def _wanted() -> frozenset[records.CellId]:
    return frozenset(observation.cell for record in _short() for observation in record.observations)


@cache
def _streams() -> list[bytes]:
    """What the targets of published records said, or would have said where none could be built."""
    return [b"".join(json.dumps(line, sort_keys=True).encode() + b"\n" for line in _said(one)) for one in _short()]


def _said(record: Record) -> Iterable[object]:
    header, count = record.header, len(record.observations)
    yield {"format": "stream/1", "python": header.python}
    if header.status.startswith("not_"):
        yield {"not_imported": header.reason or header.same_as}
        return
    told = {"tensorflow": header.release, "packages": header.packages or {}, "onednn": header.onednn, "cells": count}
    yield told | {"build_info": header.build_info, "kernels": header.kernels}
    yield from map(msgspec.to_builtins, record.observations)
    yield {"closing": count, "seconds": {"import": 3.1, "fork": 0.2}}


@cache
def _speed_streams() -> list[bytes]:
    """Fakes: nothing in them was measured."""
    drawn = {name: timings.Machine(1, 1).samples(seconds)[0] for name, seconds in timings.USUAL.items()}
    return [timings.encode(timings.lines({**drawn, "keras-groups": "crash"}, number)) for number in range(3)]


@cache
def _speed_files() -> list[bytes]:
    peer = timings.run(profile=None, run="peer-torch-py311-cpu", peer="torch", release="2.13.0")
    return [speed_records.encode(one) for one in (timings.run(), peer)]


@cache
def _toml(name: str) -> list[bytes]:
    """The file, and each of its entries with its neighbour."""
    text = (paths.DATA / name).read_bytes()
    head, *entries = text.split(b"\n[[")
    return [text, *(b"\n".join((head, *(b"[[" + one for one in entries[n : n + 2]))) for n in range(len(entries)))]


@cache
def _catalogs() -> list[bytes]:
    profiles = (paths.DATA / "profiles.toml").read_bytes()
    return [releases + b"\n\f\n" + profiles for releases in _toml("releases.toml")]


@cache
def _texts() -> list[bytes]:
    seen = {one.error.message for record in _published() for one in record.observations if one.error}
    return [text.encode() for text in sorted(seen | {one for error in _known() for one in error.examples})]


@cache
def _locks() -> list[bytes]:
    return [file.read_bytes()[:4000] for file in sorted(paths.LOCKS.rglob("*.txt"))]


@cache
def _models() -> list[bytes]:
    """Real ones. HDF5 is not among them: a C library reads it, in a process of its own."""
    with zipfile.ZipFile(MODELS / "unet.keras") as archive:
        description = archive.read("config.json")
    files = ("unet.keras", "unet.pb", "unet.tflite", "seq.saved/saved_model.pb")
    return [description, *((MODELS / name).read_bytes() for name in files)]


@cache
def _ids() -> list[bytes]:
    planned = plan_runs(_catalog(), Selection(releases=("all",), backends=ids.BACKENDS), "venv")
    return [name.encode() for one in planned for name in (one.run.id, one.run.target.id)]


def _selectors() -> list[bytes]:
    named = ["landmarks", "recent", "all", "2.5..2.9", "1.15..2.22.0rc0", "2", "2.15", "2.22.0rc0", "1.4.1..1.4.1"]
    return [f"release:{name}".encode() for name in named] + [
        f"profile:{one.name}".encode() for one in _catalog().profiles
    ]


def _command_lines() -> list[bytes]:
    typed = (
        "run --plan --release 2.8 --backend cpu --profile onednn-off", "run --release landmarks --engine venv --again",
        "run --approach nn-conv2d --mode graph --check forward --reports reports", "report --reports reports", "doctor",
        "update 2.8.4 2.9.3", "bases --release all --backend cuda", "clean",
        "diff reports/support.json reports/support.json --markdown",
        "explain No\u00a0algorithm --release 2.8 --backend cuda --json", "claims --json",
        "show --release 2.8 --approach separable",
        "advise --release 2.8 --need train --mode keras --dtype f16 --groups 32 --cpu-flags avx2,fma --json",
        "diff 2.8 2.9 --only onednn-on", "probe --output probe.pyz", "contribute README.md --take",
        "bisect --approach keras-groups --check gradient --mode keras --no-runs 2.9.3 2.8.4", "--help", "run --help",
    )  # fmt: skip
    return [line.replace(" ", "\0").encode() for line in typed]


@cache
def _plans() -> list[bytes]:
    """Plans of all releases, of some, and of one."""
    made = []
    for chosen in (("all",), ("landmarks",), ("2.8.4",)):
        for backends_ in (("cpu",), ids.BACKENDS):
            planned = plan_runs(_catalog(), Selection(releases=chosen, backends=backends_), "venv")
            made.append(shards.encode(shards.plan(planned, 3, lambda run: 60.0)))
    return made


def _first_line(decoder: msgspec.json.Decoder[object]) -> Callable[[bytes], bool]:
    def reached(data: bytes) -> bool:
        try:
            decoder.decode(data.partition(b"\n")[0])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return True

    return reached


def _opens_a_speed_file(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _is_toml(data: bytes) -> bool:
    try:
        for part in data.decode().split("\f"):
            tomllib.loads(part)
    except (UnicodeDecodeError, ValueError, RecursionError):
        return False
    return True


def _is_text(data: bytes) -> bool:
    """A text has no first line to pass: what is not UTF-8 is refused at once."""
    try:
        return bool(data.decode())
    except UnicodeDecodeError:
        return False


def _begins_as_a_model(data: bytes) -> bool:
    return any(data[:4] == one[:4] for one in _models())


_opens_a_record, _opens_a_stream = _first_line(records._header_decoder), _first_line(msgspec.json.Decoder(dict))
_opens_a_contribution = _first_line(contribution._decoder)

READERS: dict[str, Reader] = {
    "record": Reader(
        read=_record, refuses=(BadRecord,), seeds=_records, past_the_first=_opens_a_record,
        code=(records.decode, records.encode, file_format.FileFormat.path), share=420,
    ),
    "record file": Reader(
        read=_in_place, refuses=(BadRecord,), seeds=_whole_records, past_the_first=_opens_a_record,
        code=(records.read, records.headers), share=20,
    ),
    "record, judged": Reader(
        read=_table, refuses=(BadRecord,), seeds=_records, past_the_first=_opens_a_record, code=(), share=2
    ),
    "record, reported": Reader(
        read=_reported, refuses=(BadRecord,), seeds=_records, past_the_first=_opens_a_record,
        code=(report, judged.load, judged.conclude), share=1,
    ),
    "record, as pages": Reader(
        read=_pages, refuses=(BadRecord,), seeds=_records, past_the_first=_opens_a_record, code=(site.files,), share=1,
    ),
    "record, merged": Reader(
        read=_brought, refuses=(BadRecord,), seeds=_whole_records, past_the_first=_opens_a_record,
        code=(merge.choose, admission.contradiction, spine.merge), share=1,
    ),
    "record, estimated": Reader(
        read=_estimated, refuses=(BadRecord,), seeds=_records, past_the_first=_opens_a_record,
        code=(shards.seconds_of,), share=10,
    ),
    "plan": Reader(
        read=_plan, refuses=(BadRecord,), seeds=_plans, past_the_first=_opens_a_speed_file,
        code=(shards.read,), share=20,
    ),
    "stream, concluded": Reader(
        read=_concluded, refuses=(BadRecord,), seeds=_streams, past_the_first=_opens_a_stream,
        code=(runner.observe, runner.follow), share=5,
    ),
    "contribution": Reader(
        read=_contribution, refuses=(BadRecord,), seeds=_contributions, past_the_first=_opens_a_contribution,
        code=(contribution.read, contribution.decode, contribution.take), share=50,
    ),
    "stream": Reader(
        read=_stream, refuses=(BadRecord,), seeds=_streams, past_the_first=_opens_a_stream,
        code=(LineStream, Stream), share=250,
    ),
    "speed stream": Reader(
        read=_speed_stream, refuses=(BadRecord,), seeds=_speed_streams, past_the_first=_opens_a_stream,
        code=(LineStream, SpeedStream), share=20,
    ),
    "speed file": Reader(
        read=_speed_file, refuses=(BadRecord,), seeds=_speed_files, past_the_first=_opens_a_speed_file,
        code=(speed_records.decode,), share=20,
    ),
    "catalog": Reader(
        read=_whole_catalog, refuses=(BadData,), seeds=_catalogs, past_the_first=_is_toml,
        code=(catalog.load, catalog.load_entries), share=5,
    ),
    "backends": Reader(
        read=_entries("backends.toml", lambda folder: backends.load.__wrapped__(folder / "backends.toml")),
        refuses=(BadData,), seeds=lambda: _toml("backends.toml"), past_the_first=_is_toml,
        code=(backends.load,), share=5,
    ),
    "sources": Reader(
        read=_entries("sdists.toml", resolve.load_sdists), refuses=(BadData,), seeds=lambda: _toml("sdists.toml"),
        past_the_first=_is_toml, code=(resolve.load_sdists,), share=5,
    ),
    "known errors": Reader(
        read=_entries("known_errors.toml", known_errors.load), refuses=(BadData,),
        seeds=lambda: _toml("known_errors.toml"), past_the_first=_is_toml, code=(known_errors.load,), share=5,
    ),
    "error text": Reader(
        read=_error_text, refuses=(), seeds=_texts, past_the_first=_is_text,
        code=(known_errors.recognise, plain), share=100,
    ),
    "model": Reader(
        read=_model, refuses=(Unreadable,), seeds=_models, past_the_first=_begins_as_a_model,
        code=(model_reader.read, keras.read, graph.read_frozen, graph.read_saved, tflite.read), share=20,
    ),
    "lock": Reader(
        read=_lock, refuses=(MatrixError,), seeds=_locks, past_the_first=_is_text,
        code=(locks.install_command, locks.build_tools), share=50,
    ),
    "id": Reader(
        read=_id, refuses=(ValueError,), seeds=_ids, past_the_first=_is_text,
        code=(ids.parse_target, ids.parse_run), share=50,
    ),
    "selector": Reader(
        read=_selector, refuses=(BadUsage,), seeds=_selectors, past_the_first=_is_text,
        code=(select_releases, select_profiles), share=50,
    ),
    "command line": Reader(
        read=_arguments, refuses=(MatrixError, click.ClickException, click.Abort, click.exceptions.Exit),
        seeds=_command_lines, past_the_first=_is_text, code=(plan_runs,), share=30,
    ),
}  # fmt: skip
