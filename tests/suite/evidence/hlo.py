"""The text of XLA's optimized HLO as instructions for rules.py. No TensorFlow here."""

import re
from typing import List, NamedTuple, Sequence, Tuple

COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.<>-]+) \(.*\{$")
INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.-]+) = (.*?) ([a-z][a-z0-9-]*)\((.*)$")


class Instruction(NamedTuple):
    computation: str
    name: str
    shape: Tuple[int, ...]
    opcode: str
    rest: str  # operands and attributes

    def attribute(self, pattern: str, default: str = "") -> str:
        found = re.search(pattern, self.rest)
        return found.group(1) if found else default


class Convolution(NamedTuple):
    feature_groups: int
    taps: int  # positions of its window
    inputs: int  # channels that each of them multiplies
    outputs: int


def parse(text: str) -> List[Instruction]:
    """In the order of the text: the entry computation comes last."""
    found = []
    computation = ""
    for line in text.splitlines():
        head, instruction = COMPUTATION.match(line), INSTRUCTION.match(line)
        if head:
            computation = head.group(1)
        elif instruction:
            name, shape, opcode, rest = instruction.groups()
            found.append(Instruction(computation, name, _sizes(shape), opcode, rest))
    return found


def convolutions(instructions: Sequence[Instruction]) -> List[Convolution]:
    shapes = {(one.computation, one.name): one.shape for one in instructions}
    found = []
    for one in instructions:
        if one.opcode == "convolution":
            operands = re.findall(r"%([\w.-]+)", one.rest)
            labels = one.attribute(r"dim_labels=\w+_(\w+)->")
            sizes = dict(zip(labels, shapes[one.computation, operands[1]]))
            taps = _product(one.attribute(r"window=\{size=([0-9x]+)", "1").split("x"))
            groups = int(one.attribute(r"feature_group_count=(\d+)", "1"))
            found.append(Convolution(groups, taps, sizes["i"], sizes["o"]))
    return found


def _sizes(shape: str) -> Tuple[int, ...]:
    """Of an array's shape like `f32[2,9,9,32]{3,2,1,0}`; a tuple's first."""
    found = re.search(r"\[([0-9,]*)\]", shape)
    return tuple(int(size) for size in found.group(1).split(",") if size) if found else ()


def _product(numbers: Sequence[str]) -> int:
    product = 1
    for number in numbers:
        product *= int(number)
    return product
