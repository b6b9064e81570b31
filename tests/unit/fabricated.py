"""Records made up for tests: every cell of the suite passes, except where a test says otherwise."""

from __future__ import annotations

from collections.abc import Callable

from matrix.catalog.suite_hash import suite_sha256
from matrix.judge.verdicts import core_case, is_control
from matrix.record.records import CellId, Error, Fusion, Header, Host, Observation, Record
from matrix.suite import catalog as suite

Change = Callable[[CellId], dict]


def header(profile="onednn-off", **changes) -> Header:
    fields = {
        "run": f"tf2.8.4-py310-cpu+{profile}", "release": "2.8.4", "python": "3.10.13", "backend": "cpu",
        "profile": profile, "engine": "venv", "status": "complete", "started": "2026-01-02T03:04:05Z",
        "host": Host(host_class="x86-avx2", cpu="A processor", cpu_flags=["avx2"], cores=2, kernel="6.1"),
        "observations": 0, "onednn": profile == "onednn-on", "suite_sha256": suite_sha256(how="executed"),
        "lock_sha256": "c" * 64,
    }  # fmt: skip
    return Header(**fields | changes)


def observe(cell: CellId, epilogue="separate", **fields) -> Observation:
    approach, mode, check, case = cell
    shown = Fusion(kernel="unknown", epilogue=epilogue, ops={"Conv2D": 1}, source="partition_graphs")
    fusion = shown if check == "fusion" else None
    plain = {"outcome": "pass", "evidence": "executed", "fusion": fusion}
    return Observation(approach=approach, mode=mode, check=check, case=case, **plain | fields)


def record(change: Change = lambda cell: {}, **changes) -> Record:
    """Every cell of the suite passes and fuses nothing, except as `change` says, which leaves a cell out by None."""
    said = {tuple(cell): change(tuple(cell)) for cell in suite.cells()}
    observations = tuple(observe(cell, **fields) for cell, fields in said.items() if fields is not None)
    return Record(header=header(**{"observations": len(observations)} | changes), observations=observations)


def error(message="does not compute") -> dict:
    return {"outcome": "error", "error": Error(type="InvalidArgumentError", message=message)}


CORE = {(approach, core_case(approach, epilogue)) for approach in suite.APPROACHES for epilogue in suite.CORE_EPILOGUES}


def where(check=None, mode=None, of=None, approach="nn-conv2d", control=False, **fields) -> Change:
    """Change cells of one approach to these fields: cells of the core, or of the control where `control` is true.
    `check`, `mode` and the epilogue (`of`) choose among them; None chooses all.
    """

    def change(cell: CellId) -> dict:
        asked = (approach, mode, check)
        fits = all(want in {None, got} for want, got in zip(asked, cell[:3], strict=True))
        fits = fits and (is_control(cell[3]) if control else (cell[0], cell[3]) in CORE)
        return fields if fits and of in {None, cell[3].split("/")[1]} else {}

    return change
