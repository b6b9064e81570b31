"""The verb that reads a model file: `check`."""

from __future__ import annotations

from pathlib import Path

import click

from matrix.answers import model_check, release_records
from matrix.answers.advise import WISHES, Wish
from matrix.answers.situation import profile_of
from matrix.base.ids import Backend
from matrix.catalog import releases
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
from matrix.record.records import Mode
from matrix.suite import catalog as suite


@click.command()
@click.argument("model", type=click.Path())
@release_option
@backend_option
@click.option("--need", "wish", type=click.Choice(WISHES), default="infer", show_default=True)
@click.option("--mode", type=click.Choice(list(suite.MODES)), help="How it will run; by default as such a file does.")
@processor_options
@setting_option
@click.option("--all", "everything", is_flag=True, help="List every layer.")
@published_option
@json_option
def check(
    model: str, release: str, backend: Backend, wish: Wish, mode: Mode | None, here: bool,
    name: str | None, cpu_flags: str | None, setting: str, everything: bool, reports: Path, as_json: bool,
) -> None:  # fmt: skip
    """Say whether a model's convolutions will run, train and be fused on a release.

    MODEL is a .keras, .h5, .pb or .tflite file, or the folder of a SavedModel. It is read without TensorFlow, and
    nothing in it is executed.
    """
    reading = model_check.read(model)
    processor, profiles = asked_for(name, cpu_flags, here=here), releases.load_profiles()
    profile = profile_of(setting, profiles.values())
    asked = model_check.Asked(file=model, wish=wish, mode=mode, profile=profile, processor=processor)
    recorded = release_records.load(reports, release, backend, processor)
    answer = model_check.check(reading, recorded, asked, profiles, reports)
    give(answer, as_json=as_json, lines=model_check.lines(answer, everything=everything))
