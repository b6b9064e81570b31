"""All observations as one Parquet file, `data/observations.parquet`: a row for each, with the run that it is of."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matrix.record import records
from matrix.record.records import Record

NAME = "data/observations.parquet"
# What each column holds; docs/page.md has the same table.
COLUMNS = {
    "run": "the run's id",
    "release": "the TensorFlow version",
    "backend": "cpu, cuda or rocm",
    "profile": "the name of the setting",
    "host_class": "the kind of processor or GPU",
    "engine": "docker or venv",
    "started": "when the run began, in UTC",
    "onednn": "on or off, as TensorFlow showed; null where it did not",
    "approach": "how the convolution is written",
    "mode": "how the program is executed",
    "check": "forward, gradient or fusion",
    "case": "geometry/epilogue/dtype/layout",
    "geometry": "the first part of the case",
    "epilogue": "what follows the convolution",
    "dtype": "f32, f64, f16, bf16 or mixed",
    "layout": "nhwc or nchw",
    "outcome": "pass, wrong, error, crash, timeout, oom, absent or skipped",
    "evidence": "executed, planned or registered",
    "error_type": "the class of the error",
    "error_message": "its text",
    "kernel": "which kind of kernel ran",
    "fused": "where the epilogue ran: fused, partly, separate or none",
    "source": "what shows that",
    "rel_err": "the relative error of the result",
    "signal": "the signal that ended the process",
    "reason": "why it came out so, where no error says it",
}
ONEDNN = {True: "on", False: "off", None: None}


def observations(made: Sequence[Record]) -> tuple[str, bytes]:
    """Texts are dictionaries, since few differ; each column's meaning stands in the file too, as its `comment`."""
    # Imported late: only the site needs it, and it takes a quarter of a second.
    import numpy as np  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415
    from pyarrow import json  # noqa: PLC0415

    text = pa.string()
    names = ("approach", "mode", "check", "case", "outcome", "evidence", "signal", "reason")
    line = [(name, text) for name in names] + [
        ("rel_err", pa.float64()),
        ("error", pa.struct([("type", text), ("message", text)])),
        ("fusion", pa.struct([("kernel", text), ("epilogue", text), ("source", text)])),
    ]
    options = json.ParseOptions(explicit_schema=pa.schema(line), unexpected_field_behavior="ignore")
    observed = [record for record in made if record.observations]
    read = [
        json.read_json(io.BytesIO(records.encode(record).partition(b"\n")[2]), parse_options=options)
        for record in observed
    ]
    table = pa.concat_tables([pa.schema(line).empty_table(), *read]).combine_chunks()
    headers = [record.header for record in observed]
    of_row = np.repeat(np.arange(len(headers)), [header.observations for header in headers])
    columns = {name: table[name] for name in (*names, "rel_err")}
    for name in ("run", "release", "backend", "profile", "engine", "started"):
        columns[name] = pa.array([getattr(header, name) for header in headers], text).take(of_row)
    columns["host_class"] = pa.array([header.host.host_class for header in headers], text).take(of_row)
    columns["onednn"] = pa.array([ONEDNN[header.onednn] for header in headers], text).take(of_row)
    parts = pc.split_pattern(table["case"], "/")
    for number, name in enumerate(("geometry", "epilogue", "dtype", "layout")):
        columns[name] = pc.list_element(parts, number)
    fields = (("error_type", "error", "type"), ("error_message", "error", "message"), ("kernel", "fusion", "kernel"),
              ("fused", "fusion", "epilogue"), ("source", "fusion", "source"))  # fmt: skip
    for name, struct, field in fields:
        columns[name] = pc.struct_field(table[struct], field)
    whole = [columns[name] if name == "rel_err" else columns[name].dictionary_encode() for name in COLUMNS]
    schema = [
        pa.field(name, column.type, metadata={"comment": meaning})
        for (name, meaning), column in zip(COLUMNS.items(), whole, strict=True)
    ]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(whole, schema=pa.schema(schema)), file, compression="zstd")
    return NAME, file.getvalue()
