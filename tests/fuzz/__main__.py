"""Feed mutations of real inputs to every reader: `nox -s fuzz -- --inputs 1000000 --seed 1`.

Each input is made from nothing but its reader's name, the seed and its number. An input that a reader neither takes
nor refuses as promised is kept in a file, and the run then ends with status 1.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from types import CodeType, FunctionType

import coverage
from fuzz.mutations import mutate
from fuzz.readers import READERS, Reader

from matrix.base import paths

KEPT = paths.WORK / "fuzz"
SHOWN = 10
# Branches are counted while so many inputs of each reader are read: counting them makes reading several times as slow,
# and later inputs reach next to no new branch.
MEASURED = 300


def inputs(name: str, reader: Reader, numbers: Iterable[int], seed: int) -> Iterator[bytes]:
    seeds = reader.seeds()
    for number in numbers:
        random = Random(f"{name} {seed} {number}")
        yield mutate(random, random.choice(seeds), seeds)


def fuzz(name: str, numbers: Iterable[int], seed: int) -> Counter[str]:
    """Count the inputs that were fed, passed the first check, were taken, or raised what is not promised. `numbers`:
    those of the inputs.
    """
    reader, counts = READERS[name], Counter(fed=0, past=0, taken=0, uncaught=0)
    for data in inputs(name, reader, numbers, seed):
        counts["fed"] += 1
        counts["past"] += reader.past_the_first(data)
        try:
            reader.read(data)
        except reader.refuses:
            continue
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is counted and kept
            counts["uncaught"] += 1
            if counts["uncaught"] <= SHOWN:
                _keep(name, data, fault)
            continue
        counts["taken"] += 1
    return counts


def _keep(name: str, data: bytes, fault: Exception) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    file = KEPT / f"{name.replace(' ', '-')}-{abs(hash(data)):x}"
    file.write_bytes(data)
    sys.stderr.write(f"{name}: {type(fault).__name__}: {str(fault)[:200]!r}; the input is in {file}\n")


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    options.add_argument("--inputs", type=int, default=10_000, help="how many in all (%(default)s)")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--reader", choices=READERS, action="append", help="only this; may be repeated")
    asked = options.parse_args()
    chosen = asked.reader or list(READERS)
    shares = sum(READERS[name].share for name in chosen)
    measured, began = Measured(), time.monotonic()
    counts = {}
    for name in chosen:
        numbers = range(-(-asked.inputs * READERS[name].share // shares))
        with measured:
            counts[name] = fuzz(name, numbers[:MEASURED], asked.seed)
        counts[name] += fuzz(name, numbers[MEASURED:], asked.seed)
        sys.stderr.write(f"{name}: {dict(counts[name])}\n")
    sys.stdout.write(_report(counts, measured.branches(), asked.seed, time.monotonic() - began) + "\n")
    return 1 if any(count["uncaught"] for count in counts.values()) else 0


class Measured:
    """Which branches of the readers' code are taken."""

    def __init__(self) -> None:
        self._coverage = coverage.Coverage(branch=True, data_file=None, source_pkgs=["matrix"], messages=False)
        # Modules are imported before the measuring begins: what runs at import is not asked.
        self._coverage.set_option("run:disable_warnings", ["module-not-measured"])

    def __enter__(self) -> None:
        self._coverage.start()

    def __exit__(self, *_: object) -> None:
        self._coverage.stop()

    def branches(self) -> dict[str, tuple[int, int]]:
        """(taken, all) by reader: the exits of lines that have several, in the functions that read."""
        told = paths.WORK / "fuzz-coverage.json"
        told.parent.mkdir(parents=True, exist_ok=True)
        self._coverage.json_report(outfile=str(told))
        files = json.loads(told.read_text(encoding="utf-8"))["files"]
        functions = {
            (str(Path(file).resolve()), name): function["summary"]
            for file, found in files.items()
            for name, function in found["functions"].items()
        }
        counted = {name: [functions[each] for each in names_for_coverage(reader)] for name, reader in READERS.items()}
        return {
            name: (sum(one["covered_branches"] for one in found), sum(one["num_branches"] for one in found))
            for name, found in counted.items()
        }


def names_for_coverage(reader: Reader) -> set[tuple[str, str]]:
    """(file, name) of every function that `reader.code` stands for."""
    waiting: list[FunctionType] = []
    for entry in reader.code:
        members = list(vars(entry).values()) if isinstance(entry, type) else [inspect.unwrap(entry)]
        waiting += [member for member in members if isinstance(member, FunctionType)]
    found: set[FunctionType] = set()
    while waiting:
        function = waiting.pop()
        found.add(function)
        private = {name for name in _names_used(function.__code__) if name.startswith("_")}
        called = [value for name, value in function.__globals__.items() if name in private]
        waiting += [
            each
            for each in called
            if isinstance(each, FunctionType) and each.__module__ == function.__module__ and each not in found
        ]
    return {(str(Path(each.__code__.co_filename).resolve()), each.__qualname__) for each in found}


def _names_used(code: CodeType) -> Iterator[str]:
    """Also in its comprehensions, which have code of their own before Python 3.12."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_used(constant)


def _report(counts: dict[str, Counter[str]], branches: dict[str, tuple[int, int]], seed: int, seconds: float) -> str:
    """A Markdown table."""
    rows = [
        "| reader | inputs | past what is checked first | taken | uncaught | branches |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, count in counts.items():
        taken, there = branches[name]
        rows.append(
            f"| {name} | {count['fed']:,} | {count['past'] / count['fed']:.0%} | {count['taken']:,} "
            f"| {count['uncaught']:,} | {f'{taken} of {there}' if there else ''} |"
        )
    total: Counter[str] = sum(counts.values(), Counter())
    past = f"{total['past'] / total['fed']:.0%}"
    rows.append(f"| all | {total['fed']:,} | {past} | {total['taken']:,} | {total['uncaught']:,} | |")
    return "\n".join((*rows, "", f"Seed {seed}, {seconds:.0f} s."))


if __name__ == "__main__":
    sys.exit(main())
