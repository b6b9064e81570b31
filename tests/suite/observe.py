"""One observation: does this approach, in this mode, pass this check on this case, on this TensorFlow?

`python -m suite.observe nn-conv2d graph forward g4-k3/bias_relu/f32/nhwc`, called in tests/, prints it.
"""

import json
import os
import sys
import traceback
from functools import lru_cache
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import tensorflow as tf

from . import clock, messages, reference, runtime
from .catalog import APPROACHES, CHECKS, Cell
from .evidence import Evidence, hlo, library_logs, rules, xla_dump
from .evidence.partition_graphs import nodes
from .modes import FORWARD, GRADIENT
from .problem import Problem, pose
from .programs import WrongShape
from .tensors import channels_last

# What stands in a graph for a part that auto-clustering found. (XlaLaunch stands for a function that asks for XLA
# itself, as Keras' layers with groups do.)
CLUSTER = "_XlaRun"
NOTHING_CLUSTERED = "auto-clustering compiled nothing of it"
NOT_SHOWN = "no operation outside of what XLA compiled shows where the epilogue ran"
HERE = os.path.dirname(os.path.abspath(__file__))

Finding = Dict[str, Any]


def observe(approach: str, mode: str, check: str, case: str) -> Finding:
    """The observation of a cell. Whatever TensorFlow does is an outcome; only a fault of the suite's own raises."""
    known = approach in APPROACHES and mode in APPROACHES[approach].modes and check in CHECKS
    if not known or (check == "gradient" and mode not in GRADIENT):
        raise ValueError("there is no cell {}".format(Cell(approach, mode, check, case).id))
    with clock.spending("reference"):
        problem = _pose(approach, case)
    with clock.spending("{} {}".format(mode, check)):
        finding = _CHECKS[check](approach, mode, case, problem)
    return dict(approach=approach, mode=mode, check=check, case=case, evidence="executed", **finding)


def start(lane: bool) -> None:
    """Call once in a fresh process, before the first operation."""
    library_logs.ask()
    if runtime.RELEASE >= (1, 14) and not runtime.is_for_gpu():
        xla_dump.ask()
    runtime.start(lane)


def onednn_isa(cell: Cell) -> str:
    """The instructions that oneDNN says it uses for the cell that this process observed last; "" where it says none."""
    return _execute(cell.approach, cell.mode, cell.case).evidence.onednn_isa


def _pose(approach: str, case: str) -> Problem:
    return pose(approach, case, runtime.rounds_to_tf32())


class Execution(NamedTuple):
    """Of a forward pass: its output, or the finding that it failed; and what it left behind either way."""

    y: Any
    failure: Optional[Finding]
    evidence: Evidence


@lru_cache(maxsize=1)  # forward and fusion of a cell follow each other
def _execute(approach: str, mode: str, case: str) -> Execution:
    evidence, problem = Evidence(), _pose(approach, case)
    with library_logs.captured(evidence, runtime.printing()):
        y, failure = attempt(lambda: FORWARD[mode](approach, problem, evidence))
    return Execution(y, failure, evidence)


def _forward(approach: str, mode: str, case: str, problem: Problem) -> Finding:
    execution = _execute(approach, mode, case)
    if execution.failure:
        return execution.failure
    if not _is_clustered(mode, execution.evidence):
        return {"outcome": "skipped", "reason": NOTHING_CLUSTERED}
    if problem.case.misuse:
        return {"outcome": "wrong", "reason": "TensorFlow computes something of it without a word"}
    return _judge([Answer("output", channels_last(execution.y, problem.case), problem.y, problem.forward_tolerance)])


def _gradient(approach: str, mode: str, case: str, problem: Problem) -> Finding:
    evidence = Evidence()
    with library_logs.captured(evidence, runtime.printing()):
        gradients, failure = attempt(lambda: GRADIENT[mode](approach, problem, evidence))
    if failure:
        return failure
    if not _is_clustered(mode, evidence):
        return {"outcome": "skipped", "reason": NOTHING_CLUSTERED}
    dx, dfilters = gradients
    of_input, of_filter = problem.gradient_tolerances
    answers = []
    if mode != "keras":  # fit differentiates by weights alone
        answers.append(Answer("input gradient", channels_last(dx, problem.case), problem.dx, of_input))
    for number, (got, want) in enumerate(zip(dfilters, problem.dfilters), 1):
        name = "filter gradient" if len(dfilters) == 1 else "gradient of filter {}".format(number)
        answers.append(Answer(name, got, want, of_filter))
    return _judge(answers)


def _fusion(approach: str, mode: str, case: str, problem: Problem) -> Finding:
    """What the optimizers made of a program is evidence even where it then fails; `forward` says that it did."""
    _, failure, evidence = _execute(approach, mode, case)
    if not failure and not _is_clustered(mode, evidence):
        return {"outcome": "skipped", "reason": NOTHING_CLUSTERED}
    text = evidence.hlo[0] if mode == "jit" and len(evidence.hlo) == 1 else None
    if text is None and evidence.compile_hlo:
        text, refused = attempt(evidence.compile_hlo)
        if refused:
            return dict(refused, outcome="skipped") if refused["outcome"] == "absent" else refused
    if text is not None:
        return {"outcome": "pass", "fusion": rules.from_hlo(hlo.parse(text), asked(problem))}
    if evidence.graphs:
        fusion = rules.from_graphs(nodes(evidence.graphs, runtime.device()), asked(problem), evidence.primitives)
        if rules.is_shown(fusion, asked(problem)):
            return {"outcome": "pass", "fusion": fusion}
        return failure or {"outcome": "skipped", "reason": NOT_SHOWN}
    return failure or {"outcome": "skipped", "reason": "this release does not show what {} made of it".format(mode)}


def _is_clustered(mode: str, evidence: Evidence) -> bool:
    """Whether XLA compiled a part of the graph, where a profile asks for that. What is eager is no graph."""
    if not runtime.AUTO_CLUSTER or mode not in ("graph", "keras", "savedmodel"):
        return True
    return any(node.op == CLUSTER for node in nodes(evidence.graphs, runtime.device()))


def asked(problem: Problem) -> rules.Asked:
    taps = int(np.prod(problem.filters[0].shape[:-2]))
    return rules.Asked(problem.case.groups, problem.case.cin, taps, problem.case.steps)


_CHECKS = {"forward": _forward, "fusion": _fusion, "gradient": _gradient}


def attempt(action: Callable[[], Any]) -> Tuple[Any, Optional[Finding]]:
    """What TensorFlow answers, or the finding that it does not."""
    try:
        return action(), None
    except runtime.Absent as absent:
        return None, {"outcome": "absent", "reason": messages.normalize(str(absent))}
    except WrongShape as wrong:
        return None, {"outcome": "wrong", "reason": str(wrong)}
    except Exception as error:
        if _raised_here(error):
            raise
        out_of_memory = isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError))
        return None, {"outcome": "oom" if out_of_memory else "error", "error": messages.describe(error)}


def _raised_here(error: BaseException) -> bool:
    """Whether the suite's own code raised it: then its frame is the innermost, for TensorFlow's errors have frames of
    TensorFlow's below the suite's. (start() sees to it that TensorFlow does not hide them.)
    """
    innermost = traceback.extract_tb(error.__traceback__)[-1]
    return os.path.abspath(innermost[0]).startswith(HERE + os.sep)


class Answer(NamedTuple):
    name: str
    got: Any
    want: Any
    tolerance: float


def _judge(answers: List[Answer]) -> Finding:
    """The error is told from a tenth of the tolerance on."""
    errors = []
    for answer in answers:
        wrong, error = _compare(answer)
        if wrong:
            return {"outcome": "wrong", "reason": "{}: {}".format(answer.name, wrong)}
        if error > answer.tolerance:
            reason = "{}: relative error {:.1e}, tolerance {:.1e}".format(answer.name, error, answer.tolerance)
            return {"outcome": "wrong", "reason": reason, "rel_err": _two_digits(error)}
        errors.append(error if error > answer.tolerance / 10 else 0.0)
    return {"outcome": "pass", "rel_err": _two_digits(max(errors))} if any(errors) else {"outcome": "pass"}


def _compare(answer: Answer) -> Tuple[str, float]:
    """What is wrong without a number, else the relative error. An answer that is nothing like the reference may have
    come from memory that was never written: the digits of its error would be others in every run.
    """
    if answer.got is None:
        return "TensorFlow gives none", 0.0
    got = np.asarray(answer.got, np.float64)
    if got.shape != answer.want.shape:
        return "its shape is {} and should be {}".format(got.shape, answer.want.shape), 0.0
    with np.errstate(all="ignore"):
        error = reference.relative_error(got, answer.want)
    if not error <= 0.1:
        return "nothing like the reference (relative error above 0.1, or not finite)", 0.0
    return "", error


def _two_digits(value: float) -> float:
    return float("{:.1e}".format(value))


def main(arguments: List[str]) -> None:
    approach, mode, check, case = arguments
    start(runtime.lane(Cell(approach, mode, check, case)))
    print(json.dumps(observe(approach, mode, check, case), sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1:])
