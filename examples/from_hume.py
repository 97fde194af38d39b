"""Turn saved predictions of Hume's first Expression Measurement API into results of emovox.

    python examples/from_hume.py predictions.json > results.json
    python examples/from_hume.py predictions.json --names > results.json

The input is the JSON of a batch job: `GET /v0/batch/jobs/ID/predictions`. The speech prosody model is converted; other
models are left out, which standard error says. Its 48 scores become the seven labels of emovox by `LABELS`; with
--names they stay as they are. docs/coming-from-hume.md has the fields one by one.

A converted score is no probability: it is a share of the scores of the seven labels, and nobody has calibrated it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

import emovox
from emovox.runtime.timeline import mean_scores, speech_shares
from emovox.schema.result import Failure, ModelInfo, Notice, Report, Result, ResultRow, Segment, SpokenLine

LABELS = {
    "neutral": ("Calmness",),
    "happy": ("Joy", "Amusement", "Ecstasy", "Excitement"),
    "sad": ("Sadness", "Disappointment"),
    "angry": ("Anger",),
    "fear": ("Fear", "Horror", "Anxiety"),
    "disgust": ("Disgust", "Contempt"),
    "surprise": ("Surprise (positive)", "Surprise (negative)"),
}
"""Label → names at Hume, of which the highest score counts. The map is a choice: change it to suit your data."""

UNKNOWN = "unknown"
"""Hume's identifier of a speaker if speakers were not told apart."""

NOTICE = Notice("converted", "scores of another service: they are not calibrated, and the duration is the last end")


class Emotion(msgspec.Struct):
    """A score of a name; usually 0 to 1, and independent of the other names."""

    name: str
    score: float


class Interval(msgspec.Struct):
    """Seconds from the start of the file."""

    begin: float
    end: float


class Prediction(msgspec.Struct):
    """A word, sentence, utterance, turn or window."""

    time: Interval
    emotions: list[Emotion]
    text: str | None = None


class Group(msgspec.Struct):
    """The predictions of one speaker."""

    id: str
    predictions: list[Prediction]


class Prosody(msgspec.Struct):
    """The output of the speech prosody model."""

    grouped_predictions: list[Group]


class Models(msgspec.Struct):
    """The models of a job; others are only counted."""

    prosody: Prosody | None = None
    face: msgspec.Raw = msgspec.Raw(b"null")
    burst: msgspec.Raw = msgspec.Raw(b"null")
    language: msgspec.Raw = msgspec.Raw(b"null")
    ner: msgspec.Raw = msgspec.Raw(b"null")
    facemesh: msgspec.Raw = msgspec.Raw(b"null")


class FilePrediction(msgspec.Struct):
    """The predictions of a file."""

    file: str
    models: Models


class FileError(msgspec.Struct):
    """A file that a job could not analyse."""

    message: str
    file: str


class Results(msgspec.Struct):
    """The results of one source."""

    predictions: list[FilePrediction]
    errors: list[FileError] = []


class Source(msgspec.Struct):
    """One URL or file of a job."""

    source: dict[str, object]
    results: Results | None = None
    error: str | None = None


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, help="JSON of a batch job")
    parser.add_argument("--names", action="store_true", help="keep Hume's 48 names and scores")
    given = parser.parse_args(arguments)
    try:
        sources = msgspec.json.decode(given.predictions.read_bytes(), type=list[Source])
    except (OSError, msgspec.DecodeError) as error:
        sys.exit(f"error: {given.predictions}: {error}; expected the predictions of a batch job")
    rows = tuple(row for source in sources for row in converted(source, names=given.names))
    if not rows:
        sys.exit(f"error: {given.predictions}: holds no prediction of the prosody model; there is nothing to convert")
    print(Report(ModelInfo("hume-prosody", "v0"), rows).to_json(), end="")


def converted(source: Source, *, names: bool) -> Iterator[ResultRow]:
    """Yield a result for each file with prosody, and a failure for each error."""
    where = str(source.source.get("url") or source.source.get("filename") or source.source.get("type", UNKNOWN))
    if source.error is not None:
        yield Failure(where, Notice("hume", source.error))
    if source.results is None:
        return
    for failed in source.results.errors:
        yield Failure(failed.file, Notice("hume", failed.message))
    for file in source.results.predictions:
        others = [name for name in Models.__struct_fields__[1:] if bytes(getattr(file.models, name)) != b"null"]
        if others:
            print(f"note: {file.file}: left out {', '.join(others)}; only prosody is converted", file=sys.stderr)
        if file.models.prosody is not None:
            yield as_result(file.file, file.models.prosody.grouped_predictions, names=names)


def as_result(name: str, groups: Sequence[Group], *, names: bool) -> Result:
    """Return the result of a file; its length is the end of the last prediction, as Hume gives none."""
    order = sorted(groups, key=lambda group: min((one.time.begin for one in group.predictions), default=0.0))
    known = [group.id for group in order if group.id != UNKNOWN]
    every = ((group.id, one) for group in order for one in group.predictions)
    spoken = [(who, one) for who, one in every if one.emotions and one.time.end > one.time.begin]
    spoken.sort(key=lambda pair: (pair[1].time.begin, pair[1].time.end))
    segments = tuple(as_segment(one, known.index(who) if who in known else None, names=names) for who, one in spoken)
    lines = tuple(
        SpokenLine(s.start, s.end, one.text, s.label, s.confidence, s.scores, None if who == UNKNOWN else who)
        for s, (who, one) in zip(segments, spoken, strict=True)
        if one.text
    )
    end = max((segment.end for segment in segments), default=0.0)
    if not segments:
        return Result(name, end, None, None, None, {}, (NOTICE,), ())
    scores = mean_scores(segments)
    best = max(scores, key=scores.__getitem__)
    shares = speech_shares(segments)
    return Result(name, end, best, scores[best], scores, shares, (NOTICE,), segments, lines=lines or None)


def as_segment(one: Prediction, speaker: int | None, *, names: bool) -> Segment:
    """Return a prediction as a segment; `label` is the highest score, since there is no threshold to abstain by."""
    scores = {emotion.name: emotion.score for emotion in one.emotions} if names else seven(one.emotions)
    best = max(scores, key=scores.__getitem__)
    return Segment(one.time.begin, one.time.end, 0, best, scores[best], scores, speaker=speaker)


def seven(emotions: Iterable[Emotion]) -> dict[str, float]:
    """Return the seven labels' shares of their summed scores; all are equal if every score is 0 or below."""
    found = {emotion.name: max(0.0, emotion.score) for emotion in emotions}
    highest = {label: max(found.get(name, 0.0) for name in names) for label, names in LABELS.items()}
    total = sum(highest.values())
    return {label: score / total if total else 1 / len(highest) for label, score in highest.items()}


if __name__ == "__main__":
    try:
        main()
    except emovox.EmovoxError as error:
        sys.exit(f"error: {error}")
