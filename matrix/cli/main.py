"""The command line: `python -m matrix VERB`. Maps errors to exit codes; nothing else exits."""

from __future__ import annotations

import signal
from importlib import import_module
from types import FrameType

import click

from matrix.base.errors import MatrixError, Terminated

INTERRUPTED, TERMINATED = 130, 143
GOES_ON = "what was recorded stays; the same command goes on where this one stopped"
# A module is imported only when one of its verbs is asked for, so that a question does not wait for the imports of what
# measures and publishes.
VERBS = {
    "questions": ("explain", "advise", "show", "claims", "probe", "contribute"),
    "comparison": ("diff", "bisect"),
    "runs": ("run", "plan", "merge"),
    "timing": ("speed",),
    "publication": ("report", "site", "keep", "seal", "verify"),
    "upkeep": ("doctor", "update", "bases", "clean"),
}


class _Verbs(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [verb for verbs in VERBS.values() for verb in verbs]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        for module, verbs in VERBS.items():
            if cmd_name in verbs:
                command: click.Command = getattr(import_module(f"matrix.cli.{module}"), cmd_name)
                return command
        return None


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """Find out which way of writing a grouped convolution works, trains, is fused and is fast, on which TensorFlow."""


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
    # a second SIGTERM ends the process at once
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated


def _complain(what: str, cure: str, code: int) -> int:
    click.echo(f"error: {what}" + (f"\n  {cure}" if cure else ""), err=True)
    return code
