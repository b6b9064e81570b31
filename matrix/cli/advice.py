"""The verb `advise`."""

from __future__ import annotations

import math
from pathlib import Path

import click

from matrix.answers import advise as advise_
from matrix.answers import release_records
from matrix.answers.advise import MODES, WISHES, Asked, Wish
from matrix.answers.situation import profile_of
from matrix.base.errors import BadUsage
from matrix.base.ids import Backend
from matrix.catalog import known_errors, releases
from matrix.cli.options import (
    asked_for,
    backend_option,
    give,
    json_option,
    processor_options,
    published_option,
    release_option,
    setting_option,
)  # fmt: skip
from matrix.cli.printing import tell
from matrix.judge.notes import causes
from matrix.record.records import Mode
from matrix.suite import catalog as suite
from matrix.suite.cases import BLOCKS
from matrix.suite.speed import layers as timed_layers

# More than any layer has: what is computed from it stays small.
SIZE = click.IntRange(min=1, max=100_000)


@click.command()
@release_option
@backend_option
@click.option("--need", "wish", required=True, type=click.Choice(WISHES))
@click.option("--mode", "modes", multiple=True, type=click.Choice(list(suite.MODES)), help="By default all that count.")
@click.option("--dtype", type=click.Choice(suite.DTYPES), default="f32", show_default=True)
@click.option("--layout", type=click.Choice(suite.LAYOUTS), default="nhwc", show_default=True, help="Of your tensors.")
@click.option(
    "--layer",
    "named",
    type=click.Choice([*timed_layers.NAMED, *BLOCKS]),
    help="Your layer is like this one, or stands in this block of a network.",
)
@click.option("--groups", type=SIZE, help="Or: its number of groups,")
@click.option("--channels", type=SIZE, help="its channels, in and out,")
@click.option("--kernel", type=SIZE, help="the height and width of its kernel,")
@click.option("--size", type=SIZE, help="the height and width of its image,")
@click.option("--batch", type=SIZE, help="and how many images it takes at a time.")
@processor_options
@setting_option
@click.option("--code", type=click.Choice(["function", "layer"]), help="Print the best as a program alone: a function, "
              "or a Keras layer in place of Conv2D(groups=...).")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Print all that work, why others do not, and the cells.")
@published_option
@json_option
def advise(
    release: str, backend: Backend, wish: Wish, modes: tuple[Mode, ...], dtype: str, layout: str, named: str | None,
    groups: int | None, channels: int | None, kernel: int | None, size: int | None, batch: int | None, here: bool,
    name: str | None, cpu_flags: str | None, setting: str, code: str | None, everything: bool, reports: Path,
    as_json: bool,
) -> None:  # fmt: skip
    """Say what to write on a release so that it infers or trains, the best first for your layer.

    The answer comes with the code and the variable to set.
    """
    processor, profiles = asked_for(name, cpu_flags, here=here), releases.load_profiles()
    if named and (groups or channels or kernel or size):
        raise BadUsage("the layer is told twice", "give --layer, or its numbers")
    block = named if named in BLOCKS else ""
    like = timed_layers.NAMED[named] if named and not block else advise_.USUAL
    channels = channels or (8 * groups if groups else like.cin)
    asked = Asked(
        wish=wish,
        # A block is run in a graph and in Keras, for both wishes.
        modes=list(modes or MODES["infer" if block else wish]),
        block=block or "",
        groups=groups or math.gcd(like.groups, channels),
        cin=channels,
        cout=like.cout if named else channels,
        kernel=kernel or like.kernel,
        size=size or like.size,
        batch=batch or 1,
        dtype=dtype,
        layout=layout,
        profile=profile_of(setting, profiles.values()),
        told=not block and any((named, groups, channels != like.cin, kernel, size, batch)),
    )
    recorded = release_records.load(reports, release, backend, processor)
    # The short answer does not say why others fail, and need not wait for what is known of errors.
    cause = causes(known_errors.load()) if everything or as_json else known_errors.failure_text
    advice = advise_.advise(recorded, asked, profiles, cause, processor)
    if code:
        written = advise_.program(advice.best[0], asked, profiles, as_layer=code == "layer") if advice.best else ""
        if not written:
            raise BadUsage(f"there is no program of that as a {code}", "the same without --code says what there is")
        tell(written.rstrip("\n"))
        return
    give(advice, as_json=as_json, lines=advise_.lines(advice, profiles, everything=everything))
