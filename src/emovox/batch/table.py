"""Answers as rows of Parquet: one per segment, one for a recording without speech, one for an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from emovox.batch.job import Answer, Settings
from emovox.schema.label_sets import label_set
from emovox.schema.result import Result, Segment
from emovox.schema.text import printable_name

METADATA_KEY = b"emovox.batch"
"""Key of the settings in the metadata of the Parquet file, as JSON."""

SCORE_PREFIX = "score_"
"""Starts the names of the columns with scores; the label follows."""

PLAIN_PREFIX = "plain_"
"""Starts the names of the columns with scores that are not adapted; the label follows."""

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
        *(() if settings.coverage is None else (pa.field("label_set", pa.list_(pa.string())),)),
        pa.field("unfamiliarity", pa.float32()),
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
    settings = msgspec.json.decode(schema.metadata[METADATA_KEY], type=Settings)
    rows = [row for name, answer in named for row in _rows(printable_name(name), answer, labels, settings)]
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema.names)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _adapted_fields(labels: Sequence[str]) -> list[pa.Field]:
    return [
        *(pa.field(f"{PLAIN_PREFIX}{label}", pa.float32()) for label in labels),
        pa.field("adapted_source", pa.string()),
        pa.field("adapted_clips", pa.int32()),
        pa.field("adapted_seconds", pa.float64()),
    ]


def _rows(name: str, answer: Answer, labels: Sequence[str], settings: Settings) -> Iterator[Cells]:
    blank, adapts = (None,) * len(labels), settings.adapts
    result, error = answer.result, answer.error
    if error is not None:
        nothing = (*blank, None, None, None) if adapts else ()
        told = _told(None, None, settings)
        yield (name, None, None, None, None, None, None, *blank, *nothing, *told, [], error.code, error.message)
    if result is None:
        return
    warnings = [notice.code for notice in result.warnings]
    if not result.segments:
        changed = (*blank, *_adapted_cells(result)) if adapts else ()
        told = _told(None, result, settings)
        yield (name, result.duration, None, None, None, None, None, *blank, *changed, *told, warnings, None, None)
    for segment in result.segments:
        place = segment.channel, segment.start, segment.end, segment.label, segment.confidence
        scores = (segment.scores[label] for label in labels)
        plain = segment.plain_scores or segment.scores
        changed = (*(plain[label] for label in labels), *_adapted_cells(result)) if adapts else ()
        told = _told(segment, result, settings)
        yield (name, result.duration, *place, *scores, *changed, *told, warnings, None, None)


def _told(segment: Segment | None, result: Result | None, settings: Settings) -> Cells:
    """Return the code of a segment, its set of labels if there are sets, and the unfamiliarity of the recording."""
    code = None if segment is None else segment.code
    distance = None if result is None else result.unfamiliarity
    if settings.least is None:
        return code, distance
    own = None if segment is None or segment.code else label_set(segment.scores, settings.least)
    return code, own, distance


def _adapted_cells(result: Result) -> Cells:
    adapted = result.adapted
    return (None, None, None) if adapted is None else (adapted.source, adapted.clips, adapted.seconds)
