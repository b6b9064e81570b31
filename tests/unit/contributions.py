"""Contributed records, as the probe writes them."""

from __future__ import annotations

import json

from unit.fabricated import record

from matrix.record import records

HOST = {"class": "x86-avx2", "cpu": "A processor", "cpu_flags": ["avx2"], "cores": 4, "kernel": "6.1"}


def contribute(folder, *made, **changes):
    """Write `probe.jsonl` with these observations; `changes` are of its line 1."""
    first = {
        "format": "contributed/1", "release": "2.8.4", "python": "3.10.13", "platform": "linux",
        "made": "2026-01-02T03:04:05Z", "host": HOST, "packages": {}, "environment": {}, "onednn": False,
        "suite_sha256": "0" * 64, "observations": len(made),
    }  # fmt: skip
    encoded = [
        records.encode(records.Record(header=record().header, observations=(one,))).split(b"\n")[1] for one in made
    ]
    file = folder / "probe.jsonl"
    file.write_bytes(b"\n".join([json.dumps(first | changes).encode(), *encoded]) + b"\n")
    return file
