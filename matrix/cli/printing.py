"""The one place where the command line prints: records, error texts and file names can be a stranger's."""

from __future__ import annotations

import click

from matrix.base.text import is_hidden, visible


def tell(*lines: str, err: bool = False) -> None:
    for line in lines:
        click.echo(visible(line), err=err)


def tell_json(answer: object) -> None:
    """Print JSON for a person: what a terminal would act on is escaped, so that programs read the same as ever."""
    import json  # noqa: PLC0415 - help and usage errors do without

    import msgspec  # noqa: PLC0415

    text = msgspec.json.format(msgspec.json.encode(answer)).decode()
    click.echo("".join(json.dumps(each)[1:-1] if is_hidden(each) else each for each in text))
