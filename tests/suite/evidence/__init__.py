"""What an execution leaves behind that tells which kernels ran."""

from typing import Any, Callable, List, Optional

from .primitive import Primitive


class Evidence:
    """Filled in while a program is executed, and kept when the execution fails.

    `graphs` are the partition graphs: what TensorFlow's optimizers made of the program. `primitives` are what
    libraries executed. `onednn_isa`: the instructions that oneDNN uses, in its own words. `hlo`: the optimized HLO of
    what XLA compiled, a text a module; where it wrote none, `compile_hlo` answers one, and compiles anew.
    """

    def __init__(self) -> None:
        self.graphs: List[Any] = []
        self.primitives: List[Primitive] = []
        self.onednn_isa = ""
        self.hlo: List[str] = []
        self.compile_hlo: Optional[Callable[[], str]] = None
