"""The verb `explain`. It imports little, for it is asked in the middle of something else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click

from matrix.answers import explain as explain_
from matrix.answers.situation import Asked, profile_of
from matrix.base.errors import BadUsage
from matrix.base.ids import BACKENDS, Backend
from matrix.cli import index
from matrix.cli.options import asked_for, give, json_option, processor_options, published_option, setting_option
from matrix.cli.printing import tell

# What is read of a text: its beginning, and its end, which matters most in a log.
BEGINNING, END = 64 * 1024, 1024 * 1024
CHUNK = 1024 * 1024


@click.command()
@click.argument("text", required=False)
@click.option("--release", default="", help="The release of TensorFlow: 2.8 or 2.8.4. Without it, what holds in most.")
@click.option("--backend", type=click.Choice(BACKENDS), help="Where it ran; by default what the text says, or the CPU.")
@processor_options
@setting_option
@click.option("--all", "everything", is_flag=True, help="Every step with its code and cell, all causes, and links.")
@published_option
@json_option
def explain(
    text: str | None, release: str, backend: Backend | None, here: bool, name: str | None, cpu_flags: str | None,
    setting: str, everything: bool, reports: Path, as_json: bool,
) -> None:  # fmt: skip
    """Say what an error means and what to do about it, on your release, processor and setting; or answer a question.

    TEXT is an error, a whole traceback or a question. Without it, or as `-`, it is read from standard input.
    """
    whole = read(sys.stdin.buffer) if text in {None, "-"} else str(text)
    if not whole.strip():
        raise BadUsage("there is no text to explain", 'give it as in: explain "Fused conv implementation does not ..."')
    answers = index.current(reports)
    profile = profile_of(setting, answers.settings)
    asked = Asked.of(release, backend, asked_for(name, cpu_flags, here=here), profile)
    explanation = explain_.explain(whole, answers, asked)
    give(explanation, as_json=as_json, lines=explain_.lines(explanation, everything=everything))


def read(stream: BinaryIO) -> str:
    """Read a text of any length; of a long one keep beginning and end, and say on standard error what was left out."""
    beginning = stream.read(BEGINNING)
    end, size = b"", len(beginning)
    while chunk := stream.read(CHUNK):
        size += len(chunk)
        end = (end + chunk)[-END:]
    left_out = size - len(beginning) - len(end)
    if left_out:
        tell(
            f"of {size:,} bytes the first {len(beginning):,} and the last {len(end):,} were read, "
            f"{left_out:,} between them were not",
            err=True,
        )
    encoding = "utf-16" if beginning[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    return (beginning + (b"\n" if left_out else b"") + end).decode(encoding, errors="replace")
