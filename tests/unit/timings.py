"""Samples made up for tests of the statistics, and small speed files: nothing in them was ever measured."""

from __future__ import annotations

import json

import numpy as np

from matrix.record.records import Host
from matrix.record.speed_records import SpeedRun
from matrix.speed import estimates
from matrix.speed.speed_stream import Stream, Timed

POINT = {
    "layer": "resnext50-56", "batch": 1, "mode": "graph", "direction": "forward", "epilogue": "bias_relu",
    "dtype": "f32", "layout": "nhwc",
}  # fmt: skip
AMOUNTS = {"operations": 200_000_000, "bytes": 13_000_000}
PEAK, BANDWIDTH = 1.0e11, 1.0e10
# Noise of a sample, share of outliers, and noise of a process: what a quiet machine was seen to do.
NOISE, OUTLIERS, OF_A_PROCESS = 0.05, 0.05, 0.01


class Machine:
    """Draws samples as a machine makes them: noise only slows a call, now and then by much; a process slows all of its
    calls alike, and each variant a little more in its own way.
    """

    def __init__(self, seed: int, processes: int = 5, *, own: float = OF_A_PROCESS) -> None:
        self.random = np.random.default_rng(seed)
        self.own = own
        self.shared = np.exp(self.random.normal(0, 0.05, processes))

    def samples(self, seconds: float, count: int = 20) -> list[list[float]]:
        """By process."""
        return [self._process(seconds * shared, count) for shared in self.shared]

    def _process(self, seconds: float, count: int) -> list[float]:
        own = np.exp(self.random.normal(0, self.own))
        noise = np.exp(np.abs(self.random.normal(0, NOISE, count)))
        hit = self.random.random(count) < OUTLIERS
        return (seconds * own * noise * np.where(hit, 1 + self.random.exponential(0.5, count), 1)).tolist()


def series(name: str, samples: list[list[float]]) -> estimates.Series:
    return estimates.Series(timed={number: timed(name, one) for number, one in enumerate(samples)})


def timed(name: str, samples: list[float], **fields) -> Timed:
    return Timed(**POINT | AMOUNTS | {"variant": name, "order": 0, "first": 0.3, "samples": samples} | fields)


def lines(variants: dict[str, object], process: int = 0, **around) -> list[dict]:
    """A process's stream. `variants`: samples, or the type of the failure, by variant. `around` changes the
    surroundings; its keys that name a point change every line instead.
    """
    point = {name: around.pop(name) for name in [*around] if name in POINT}
    told = [_line(name, value, order, point) for order, (name, value) in enumerate(variants.items())]
    surroundings = {
        "tensorflow": "2.8.4", "packages": {"numpy": "1.22.3"}, "onednn": True, "threads": 1, "process": process,
        "pinned": [1], "import_seconds": 4.1, "peak": {"f32": PEAK}, "bandwidth": BANDWIDTH, "points": 1,
    }  # fmt: skip
    opening = {"format": "speed-stream/1", "python": "3.10.13"}
    return [opening, surroundings | around, *told, {"closing": len(told)}]


def _line(name: str, value: object, order: int, point: dict) -> dict:
    line = POINT | AMOUNTS | point | {"variant": name, "order": order}
    if isinstance(value, str):
        return line | {"failure": {"type": value, "message": "does not compute"}}
    of = {"of": "nn-conv2d"} if name in {"again", "planted", "frozen", "in-f32"} else {}
    return line | of | {"first": 0.3, "samples": value, "load": 0.01}


def encode(told: list[dict]) -> bytes:
    return b"".join(json.dumps(line, sort_keys=True).encode() + b"\n" for line in told)


def stream(told: list[dict]) -> Stream:
    made = Stream()
    made.feed(encode(told))
    return made


# Fakes: seconds of a call by variant.
USUAL = {
    "nn-conv2d": 1.0e-3, "split-concat": 4.0e-3, "masked-dense": 2.0e-3, "dense": 1.6e-3, "again": 1.0e-3,
    "planted": 1.15e-3,
}  # fmt: skip


def streams(seconds: dict[str, object] | None = None, processes: int = 5, **around) -> list[Stream]:
    machine, chosen = Machine(1, processes), USUAL if seconds is None else seconds
    drawn = {name: value if isinstance(value, str) else machine.samples(value) for name, value in chosen.items()}
    return [stream(lines(_of(drawn, number), number, **around)) for number in range(processes)]


def _of(drawn: dict[str, object], process: int) -> dict[str, object]:
    return {name: one if isinstance(one, str) else one[process] for name, one in drawn.items()}


def run(seconds: dict[str, object] | None = None, profile="onednn-on", **changes) -> SpeedRun:
    points = estimates.points(streams(seconds)) + estimates.points(streams(seconds, direction="train"))
    fields = {
        "run": f"tf2.8.4-py310-cpu+{profile}", "release": "2.8.4", "python": "3.10.13", "backend": "cpu",
        "profile": profile, "engine": "venv", "started": "2026-01-02T03:04:05Z", "seconds": 61.5,
        "packages": {"numpy": "1.22.3"}, "recipe_sha256": "1" * 64, "lock_sha256": "2" * 64, "speed_sha256": "3" * 64,
        "host": Host(host_class="x86-avx2", cpu="A processor", cpu_flags=["avx2"], cores=2, kernel="6.1"),
        "threads": 1, "pinned": [1], "depth": "default", "processes": 5, "onednn": True, "import_seconds": 4.1,
        "peak": {"f32": PEAK}, "bandwidth": BANDWIDTH, "points": points, "control": estimates.control(points),
    }  # fmt: skip
    return SpeedRun(**fields | changes)
