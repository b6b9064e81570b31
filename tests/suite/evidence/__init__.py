"""What an execution leaves behind that tells which kernels ran."""

from typing import Any, Callable, List, Optional

from .primitive import Primitive


class Evidence:
    """Filled in while a program is executed, and kept when the execution fails.

    `graphs` are the partition graphs: what TensorFlow's optimizers made of the program. `primitives` are what
    libraries executed. `onednn_isa`: the instructions that oneDNN uses, in its own words. `optimized_hlo`, for what XLA
    compiles, answers its text; it may compile anew.
    """

    def __init__(self) -> None:
        self.graphs: List[Any] = []
        self.primitives: List[Primitive] = []
        self.onednn_isa = ""
        self.optimized_hlo: Optional[Callable[[], str]] = None
