"""Fake catalog: every cell of the mini-suite misbehaves as its approach is named, and no convolution is computed."""

from typing import NamedTuple

FAKES = (
    "fake-segfault",
    "fake-sigfpe",
    "fake-abort",
    "fake-hang",
    "fake-memory-hog",
    "fake-endless-output",
    "fake-exit-zero",
    "fake-half-line",
    "fake-invalid-utf8",
    "fake-endless-line",
    "fake-suite-fault",
    "fake-poisoner",
    "fake-poisoned",
    "fake-child-holds-pipe",
    "fake-crowd",
    "fake-huge-error",
    "fake-huge-words",
    "fake-flaky",
    "fake-clock-jumps",
)


class Cell(NamedTuple):
    approach: str
    mode: str
    check: str
    case: str

    @property
    def id(self):
        return "/".join(self)


def cells(depth="full"):
    """A bystander before and after each fake: one bad cell must never cost another."""
    found = []
    for fake in FAKES:
        found += [fake + "-before", fake, fake + "-after"]
    return tuple(Cell(approach, "eager", "forward", "g1-k1/none/f32/nhwc") for approach in found)
