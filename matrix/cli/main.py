"""The command line: `python -m matrix VERB`. Maps errors to exit codes; nothing else exits."""

from __future__ import annotations

import signal
from importlib import import_module
from types import FrameType

import click

from matrix.base.errors import MatrixError, Terminated

INTERRUPTED, TERMINATED = 130, 143
GOES_ON = "what was recorded stays; the same command goes on where this one stopped"
# Modules that hold verbs in a group `cli`. Questions are answered at once because the other module, which takes a
# second to import for all that it can do, is imported only for its own verbs.
ANSWERS = ("explain", "advise", "show", "claims", "probe", "contribute")
HOLDERS = (
    "matrix.cli.questions",
    "matrix.cli.comparison",
    "matrix.cli.publication",
    "matrix.cli.timing",
    "matrix.cli.runs",
)
HELD = dict.fromkeys(ANSWERS, HOLDERS[0]) | dict(zip(("diff", "site", "speed"), HOLDERS[1:], strict=False))


class _Verbs(click.Group):
    """The verbs of all holders, each imported when one of its verbs is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for holder in HOLDERS for name in _held(holder).list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _held(HELD.get(cmd_name, HOLDERS[-1])).get_command(ctx, cmd_name)


def _held(holder: str) -> click.Group:
    group: click.Group = import_module(holder).cli
    return group


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """Which way of writing a grouped convolution works, trains, is fused and is fast, on which TensorFlow?"""


def main() -> int:
    signal.signal(signal.SIGTERM, _terminate)
    try:
        cli(standalone_mode=False)
    except MatrixError as fault:
        return _complain(str(fault), fault.cure, fault.exit_code)
    except click.ClickException as fault:
        fault.show()
        return fault.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", GOES_ON, INTERRUPTED)
    except Terminated:
        return _complain("terminated", GOES_ON, TERMINATED)
    return 0


def _terminate(_number: int, _frame: FrameType | None) -> None:
    # Once: a second one ends the process as it always would.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated


def _complain(what: str, cure: str, code: int) -> int:
    click.echo(f"error: {what}" + (f"\n  {cure}" if cure else ""), err=True)
    return code
