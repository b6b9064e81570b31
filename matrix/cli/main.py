"""The command line: `tf-groupconv VERB`, or `python -m matrix VERB`. Maps errors to exit codes; nothing else exits."""

from __future__ import annotations

import io
import signal
import sys
from importlib import import_module
from pathlib import Path
from types import FrameType

import click

import matrix
from matrix.base.errors import MachineError, MatrixError, Terminated
from matrix.cli.printing import tell

FAULTY, INTERRUPTED, TERMINATED = 1, 130, 143
GOES_ON = "what was recorded stays; the same command goes on where this one stopped"
# A module is imported only when one of its verbs is asked for, and what few verbs need where it is needed: help, a
# usage error and an answer must not wait for the imports of what measures and publishes.
VERBS = {
    "explanation": ("explain",),
    "advice": ("advise",),
    "models": ("check",),
    "questions": ("show", "claims", "probe", "contribute"),
    "comparison": ("diff",),
    "bisection": ("bisect",),
    "runs": ("run", "plan", "merge"),
    "timing": ("speed",),
    "publication": ("report", "site", "keep", "seal", "verify"),
    "upkeep": ("doctor", "update", "bases", "clean"),
}


# A command of each verb, for its help.
EXAMPLES = {
    "explain": 'explain --release 2.8 "Fused conv implementation does not support grouped convolutions"',
    "advise": "advise --release 2.15 --need train --groups 32 --channels 128 --size 56 --this-machine",
    "check": "check resnext.keras --release 2.8 --need train",
    "show": "show --release 2.8 --approach nn-conv2d --cell 'graph/*'",
    "claims": "claims --json",
    "probe": "probe --output probe.pyz",
    "contribute": "contribute probe.jsonl",
    "diff": "diff onednn-off onednn-on",
    "bisect": "bisect --approach nn-conv2d --check forward 2.9.3 2.8.4",
    "run": "run --release 2.15.1 --profile onednn-on",
    "plan": "plan --release 2.5..2.9",
    "merge": "merge ../other-machine/reports",
    "speed": "speed --release 2.15.1",
    "report": "report",
    "site": "site --output public",
    "keep": "keep",
    "seal": "seal",
    "verify": "verify SHA256SUMS",
    "doctor": "doctor",
    "update": "update 2.20.0",
    "bases": "bases",
    "clean": "clean",
}


class _Verbs(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [verb for verbs in VERBS.values() for verb in verbs]

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs by the first sentences of their docstrings, read without importing what they need."""
        import ast

        rows = []
        for module, verbs in VERBS.items():
            tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8"))
            docs = {node.name: ast.get_docstring(node) or "" for node in tree.body if isinstance(node, ast.FunctionDef)}
            rows += [(verb, " ".join(docs[verb].split()).partition(". ")[0].rstrip(".")) for verb in verbs]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as fault:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=3)
            cure = f"Did you mean {' or '.join(near)}?" if near else f"Verbs: {', '.join(self.list_commands(ctx))}."
            raise click.UsageError(f"{fault.message} {cure}", ctx) from None

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        for module, verbs in VERBS.items():
            if cmd_name in verbs:
                try:
                    command: click.Command = getattr(import_module(f"matrix.cli.{module}"), cmd_name)
                    command.epilog = f"Example: tf-groupconv {EXAMPLES[cmd_name]}"
                except ModuleNotFoundError as fault:
                    return _lacking(cmd_name, str(fault.name))
                return command
        return None


def _lacking(verb: str, package: str) -> click.Command:
    """Stand for a verb whose Python packages are not installed: answers do without what measures and publishes."""

    def refuse(_rest: tuple[str, ...]) -> None:
        cure = f"pip install 'tf-groupconv[run]', or: uvx --from 'tf-groupconv[run]' tf-groupconv {verb}"
        raise MachineError(f"{verb} needs the Python package {package}, which is not installed", cure)

    return click.Command(
        verb,
        callback=refuse,
        params=[click.Argument(["_rest"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True, "help_option_names": []},
        help="(needs more packages: pip install 'tf-groupconv[run]')",
    )


def _tell_version(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    """Tell which data the answers come from as well: the newest record's date, and the suite that it was made with."""
    if asked and not ctx.resilient_parsing:
        from matrix.record import published, records

        newest = max(records.headers(published.folder()), key=lambda header: header.started, default=None)
        data = f"records until {newest.started[:10]}, suite {str(newest.suite_sha256)[:12]}" if newest else "no records"
        tell(f"tf-groupconv {matrix.__version__}; {data}")
        ctx.exit()


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_tell_version,
              help="Show the version, and that of the data.")  # fmt: skip
def cli() -> None:
    """Find out which way of writing a grouped convolution works, trains, is fused and is fast, on which TensorFlow."""


def main() -> int:
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is ASCII only shows `?` for what it cannot
    try:
        cli(standalone_mode=False)
    except click.ClickException as fault:
        shown = io.StringIO()
        fault.show(shown)
        tell(shown.getvalue().rstrip("\n"), err=True)
        return fault.exit_code
    except (MatrixError, OSError, KeyboardInterrupt, click.Abort, Terminated) as fault:
        what, cure, code = _told(fault)
    except Exception as fault:  # noqa: BLE001 - whatever it is, it is a fault of ours
        what, cure, code = f"a fault of this program: {type(fault).__name__}: {fault}", _traceback(fault), FAULTY
    else:
        return 0
    tell(f"error: {what}" + (f"\n  {cure}" if cure else ""), err=True)
    return code


def _told(fault: BaseException) -> tuple[str, str, int]:
    """Return what happened, what to do next, and the exit code."""
    match fault:
        case MatrixError():
            return str(fault), fault.cure, fault.exit_code
        case OSError():
            from matrix.base import files

            what = f"{fault.filename}: {fault.strerror}" if fault.filename else str(fault)
            return what, files.CURES.get(fault.errno or 0, ""), MachineError.exit_code
        case Terminated():
            return "terminated", GOES_ON, TERMINATED
        case _:
            return "interrupted", GOES_ON, INTERRUPTED


def _traceback(fault: Exception) -> str:
    """Write the traceback to a file, and say what to do with it."""
    import traceback

    from matrix.base import files, paths

    file = paths.LOGS / "traceback.log"
    try:
        files.write_whole(file, "".join(traceback.format_exception(fault)).encode("utf-8", "backslashreplace"))
    except MatrixError:
        return "report it with what you typed"
    return f"report it with what you typed, and with {file}"


def _terminate(_number: int, _frame: FrameType | None) -> None:
    # a second SIGTERM ends the process at once
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated
