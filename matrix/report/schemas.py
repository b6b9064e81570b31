"""JSON Schema of the published formats, made from the types that check them: `python -m matrix.report.schemas`."""

from __future__ import annotations

import msgspec

from matrix.answers.published_answers import Index
from matrix.base import paths
from matrix.base.files import write_whole
from matrix.judge.statements import Statements
from matrix.judge.support import Support
from matrix.plan.shards import Plan
from matrix.record.records import Header, Observation
from matrix.record.speed_records import SpeedRun

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# A record is checked line by line: the first is a Header, every other an Observation.
FORMATS: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "run-1.json": (Header, Observation),
    "support-1.json": (Support,),
    "statements-1.json": (Statements,),
    "answers-1.json": (Index,),
    "plan-1.json": (Plan,),
    "speed-1.json": (SpeedRun,),
}


def schemas() -> dict[str, bytes]:
    """Return the files of matrix/data/schema/, by name."""
    encoded = {}
    for name, kinds in FORMATS.items():
        alternatives, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
        schema = {"$schema": DIALECT, "title": name, "anyOf": list(alternatives), "$defs": definitions}
        encoded[name] = msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2) + b"\n"
    return encoded


if __name__ == "__main__":
    for file_name, content in schemas().items():
        write_whole(paths.SCHEMAS / file_name, content)
