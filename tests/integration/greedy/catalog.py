"""Fake catalog of what only a container can hold: cells that take all that they can get, each with its bystanders."""

from typing import NamedTuple

FAKES = ("fake-fork-bomb", "fake-unwatched-memory-hog", "fake-full-tmp")


class Cell(NamedTuple):
    approach: str
    mode: str
    check: str
    case: str

    @property
    def id(self):
        return "/".join(self)


def cells(depth="full"):
    names = [name for fake in FAKES for name in (fake + "-before", fake, fake + "-after")]
    return tuple(Cell(name, "eager", "forward", "g1-k1/none/f32/nhwc") for name in names)
