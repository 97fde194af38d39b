"""Answers as rows of Parquet: one per segment, one for a recording without speech, one for an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from emovox.batch.job import Answer, Settings
from emovox.schema.result import Result
from emovox.schema.text import printable_name

METADATA_KEY = b"emovox.batch"
"""Key of the settings in the metadata of the Parquet file, as JSON."""

SCORE_PREFIX = "score_"
"""Starts the names of the columns with scores; the label follows."""

PLAIN_PREFIX = "plain_"
"""Starts the names of the columns with scores that are not adapted; the label follows."""

ADAPTED = "adapted_source"
"""First of the columns that say what scores are adapted to. Without adaptation they are left out."""

Cells = tuple[Any, ...]


def row_schema(labels: Sequence[str], settings: Settings) -> pa.Schema:
    """Return the columns and the metadata of the output for a model with these labels."""
    fields = [
        pa.field("file", pa.string(), nullable=False),
        pa.field("duration", pa.float64()),
        pa.field("channel", pa.int32()),
        pa.field("start", pa.float64()),
        pa.field("end", pa.float64()),
        pa.field("label", pa.string()),
        pa.field("confidence", pa.float32()),
        *(pa.field(f"{SCORE_PREFIX}{label}", pa.float32()) for label in labels),
        *(_adapted_fields(labels) if settings.adapts else ()),
        pa.field("code", pa.string()),
        pa.field("warnings", pa.list_(pa.string()), nullable=False),
        pa.field("error_code", pa.string()),
        pa.field("error_message", pa.string()),
    ]
    return pa.schema(fields, metadata={METADATA_KEY: msgspec.json.encode(settings)})


def to_table(named: Iterable[tuple[bytes, Answer]], schema: pa.Schema) -> pa.Table:
    """Return answers as rows.

    Args:
        named: path of each recording below the folder, with its answer.
        schema: the schema from `row_schema`.
    """
    labels = [name.removeprefix(SCORE_PREFIX) for name in schema.names if name.startswith(SCORE_PREFIX)]
    adapts = ADAPTED in schema.names
    rows = [row for name, answer in named for row in _rows(printable_name(name), answer, labels, adapts=adapts)]
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema.names)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _adapted_fields(labels: Sequence[str]) -> list[pa.Field]:
    return [
        *(pa.field(f"{PLAIN_PREFIX}{label}", pa.float32()) for label in labels),
        pa.field(ADAPTED, pa.string()),
        pa.field("adapted_clips", pa.int32()),
        pa.field("adapted_seconds", pa.float64()),
    ]


def _rows(name: str, answer: Answer, labels: Sequence[str], *, adapts: bool) -> Iterator[Cells]:
    blank = (None,) * len(labels)
    result, error = answer.result, answer.error
    if error is not None:
        nothing = (*blank, None, None, None) if adapts else ()
        yield (name, None, None, None, None, None, None, *blank, *nothing, None, [], error.code, error.message)
    if result is None:
        return
    warnings = [notice.code for notice in result.warnings]
    if not result.segments:
        changed = (*blank, *_adapted_cells(result)) if adapts else ()
        yield (name, result.duration, None, None, None, None, None, *blank, *changed, None, warnings, None, None)
    for segment in result.segments:
        place = segment.channel, segment.start, segment.end, segment.label, segment.confidence
        scores = (segment.scores[label] for label in labels)
        plain = segment.plain_scores or segment.scores
        changed = (*(plain[label] for label in labels), *_adapted_cells(result)) if adapts else ()
        yield (name, result.duration, *place, *scores, *changed, segment.code, warnings, None, None)


def _adapted_cells(result: Result) -> Cells:
    adapted = result.adapted
    return (None, None, None) if adapted is None else (adapted.source, adapted.clips, adapted.seconds)
