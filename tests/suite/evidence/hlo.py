"""The text of XLA's optimized HLO as instructions for rules.py. No TensorFlow here."""

import re
from typing import List, NamedTuple, Sequence, Set, Tuple

COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.<>-]+) (?:\(.*)?\{$")
INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.-]+) = (.*?) ([a-z][a-z0-9-]*)\((.*)$")

# a library's convolution, and what tells one with bias and activation inside
CALL = re.compile(r'custom_call_target="(__cudnn\$conv\w*Forward|__onednn\$convolution)"')
FUSED = re.compile(r'"__cudnn\$convBiasActivationForward"|"__onednn\$convolution".*"fusions":\{"ops":\["')


class Instruction(NamedTuple):
    computation: str
    name: str
    shape: Tuple[int, ...]
    opcode: str
    rest: str  # operands and attributes

    @property
    def operands(self) -> List[str]:
        """Their names. A text is long, with shapes and signs, or short."""
        return [one.split()[-1].lstrip("%") for one in self.rest.partition(")")[0].split(", ") if one]

    @property
    def is_convolution(self) -> bool:
        return self.opcode == "convolution" or bool(CALL.search(self.rest))

    @property
    def is_fused(self) -> bool:
        """Whether a library computes it, with more than the products inside."""
        return bool(FUSED.search(self.rest))

    def attribute(self, pattern: str, default: str = "") -> str:
        found = re.search(pattern, self.rest)
        return found.group(1) if found else default


class Convolution(NamedTuple):
    feature_groups: int
    taps: int  # positions of its window
    inputs: int  # channels that each of them multiplies
    outputs: int
    looped: bool = False  # it stands in the body of a loop
    fused: bool = False


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
    loops = _loops(instructions)
    found = []
    for one in instructions:
        if one.is_convolution:
            labels = one.attribute(r"dim_labels=\w+_(\w+)->")
            sizes = dict(zip(labels, shapes[one.computation, one.operands[1]]))
            taps = _product(one.attribute(r"window=\{size=([0-9x]+)", "1").split("x"))
            groups = int(one.attribute(r"feature_group_count=(\d+)", "1"))
            looped = one.computation in loops
            found.append(Convolution(groups, taps, sizes["i"], sizes["o"], looped, one.is_fused))
    return found


def loop_bodies(instructions: Sequence[Instruction]) -> Set[str]:
    return {one.attribute(r"body=%?([\w.<>-]+)") for one in instructions if one.opcode == "while"}


def _loops(instructions: Sequence[Instruction]) -> Set[str]:
    """The bodies of loops, and the computations that these call."""
    bodies = loop_bodies(instructions)
    return bodies | {one.attribute(r"calls=%?([\w.<>-]+)") for one in instructions if one.computation in bodies}


def _sizes(shape: str) -> Tuple[int, ...]:
    """Of an array's shape like `f32[2,9,9,32]{3,2,1,0}`; a tuple's first."""
    found = re.search(r"\[([0-9,]*)\]", shape)
    return tuple(int(size) for size in found.group(1).split(",") if size) if found else ()


def _product(numbers: Sequence[str]) -> int:
    product = 1
    for number in numbers:
        product *= int(number)
    return product
