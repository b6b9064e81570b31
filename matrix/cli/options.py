"""Options that several verbs share, and how an answer is given. Imports little: questions are answered at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from matrix.base import paths
from matrix.base.errors import BadUsage
from matrix.base.ids import BACKENDS
from matrix.cli.printing import tell, tell_json
from matrix.record import published

if TYPE_CHECKING:
    from matrix.answers.processor import Processor

# For verbs that answer, and for verbs that write: an installed package keeps what it brings apart from what it writes.
published_option = click.option(
    "--reports", type=click.Path(path_type=Path, exists=True, file_okay=False), default=published.folder,
    help="Where the records are kept.",
)  # fmt: skip
reports_option = click.option(
    "--reports", type=click.Path(path_type=Path, file_okay=False), default=paths.REPORTS,
    help="Where the records are kept.",
)  # fmt: skip
release_option = click.option("--release", required=True, help="A release of TensorFlow: 2.8 or 2.8.4.")
backend_option = click.option("--backend", type=click.Choice(BACKENDS), default="cpu", show_default=True)
setting_option = click.option(
    "--setting", default="", help="What is set: TF_ENABLE_ONEDNN_OPTS=1, 'oneDNN off', or a profile's name."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, with the evidence.")


def processor_options(verb: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--cpu-flags", help="Answer for what /proc/cpuinfo says, or its flags alone: avx2,fma,avx512f."),
        click.option("--processor", "name", help="Answer for this processor: zen3, icelake-server, graviton3, m7a."),
        click.option("--this-machine", "here", is_flag=True, help="Answer for this machine's processor."),
    ):
        verb = option(verb)
    return verb


def asked_for(name: str | None, cpu_flags: str | None, *, here: bool) -> Processor | None:
    """Return the processor that the options name. Raise BadUsage where they name two."""
    if not (name or cpu_flags or here):
        return None
    # Imported late: it knows every processor, and most questions name none.
    from matrix.answers.processor import Processor  # noqa: PLC0415

    if here + bool(name) + bool(cpu_flags) > 1:
        raise BadUsage("the processor is named twice", "give one of --processor, --this-machine and --cpu-flags")
    if here:
        return Processor.here()
    return Processor.named(name) if name else Processor.with_flags(cpu_flags or "")


def give(answer: object, *, as_json: bool, lines: Iterable[str]) -> None:
    if as_json:
        tell_json(answer)
    else:
        tell(*lines)
