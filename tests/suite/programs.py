"""The program of a cell: a layer, or a block that holds it."""

from typing import Union

from .block_program import BlockProgram
from .layer_programs import FunctionProgram, Held, LayerProgram, WrongShape, load, make_layer
from .problem import Problem

__all__ = ["Held", "Program", "WrongShape", "load", "make_program"]

Program = Union[FunctionProgram, LayerProgram, BlockProgram]


def make_program(approach: str, problem: Problem) -> Program:
    return BlockProgram(approach, problem) if problem.case.block else make_layer(approach, problem)
