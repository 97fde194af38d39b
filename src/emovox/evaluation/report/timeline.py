"""The picture of one recording: waveform, coloured segments of each channel, probabilities over time.

Needs matplotlib alone (extra `plot`), so that `emovox predict --plot` works without scikit-learn.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from emovox.evaluation.report.colours import INK, colours_of, ink_on
from emovox.evaluation.report.style import (
    FAINT,
    new_figure,
    percent_axis,
    plain,
    save_figure,
    set_title,
    shorten,
    shown,
)
from emovox.fusion.modalities import mean_modalities
from emovox.runtime.timeline import mean_scores, spoken
from emovox.schema.formats import OTHER_SOUND, UNCERTAIN, has_channels, voice_name, voices_of
from emovox.schema.result import NOT_SPEECH, Result, Segment

_COLUMNS = 250  # stretches of a long recording
_UNCERTAIN, _OTHER = "#e3e3e3", "#b9b9b9"
_NARROWEST_LABEL = 0.012  # of the width of the picture for one letter
_LONGEST_TITLE = 76


Floats: TypeAlias = npt.NDArray[np.floating]


def write_timeline(
    path: str | os.PathLike[str],
    result: Result,
    *,
    time: Floats,
    low: Floats,
    high: Floats,
    labels: Sequence[str] | None = None,
) -> None:
    """Draw a recording's timeline and write it as PNG.

    Args:
        path: of the PNG.
        result: from `Predictor.predict`.
        time: [bins] seconds, the middle of each stretch of the outline.
        low: [bins] lowest sample of each stretch, in [-1, 1].
        high: [bins] highest sample of each stretch.
        labels: order of the labels. Default: that of the scores.
    """
    save_figure(timeline_figure(result, time=time, low=low, high=high, labels=labels), path)


def timeline_figure(
    result: Result, *, time: Floats, low: Floats, high: Floats, labels: Sequence[str] | None = None
) -> Figure:
    """Draw a recording's timeline; arguments as in `write_timeline`."""
    labels = _labels(result) if labels is None else list(labels)
    result = _condensed(result)
    channels = sorted({segment.channel for segment in result.segments})
    rows = _rows(result)
    # Up to four channels have a panel of probabilities each; more would be unreadable.
    panels = channels[:4]
    heights = [1.3, 0.34 * max(1, len(rows)), *[1.5] * len(panels)]
    figure = new_figure(10.0, 1.5 + sum(heights) + 0.24 * (1 + len(labels) // 8))
    axes: list[Axes] = list(np.atleast_1d(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)))
    colours = colours_of(labels)
    _draw_outline(axes[0], time, low, high)
    _draw_segments(axes[1], rows, duration=result.duration, colours=colours)
    for panel, channel in zip(axes[2:], panels, strict=True):
        _draw_scores(panel, [s for s in result.segments if s.channel == channel], labels, colours)
        panel.set_ylabel("score [%]" if len(channels) == 1 else f"channel {channel}\nscore [%]")
    last = axes[-1]
    last.set_xlim(0, max(result.duration, 1e-3))
    last.set_xlabel(
        "time [s]" if result.duration < 120 else "time [min:s]" if result.duration < 7200 else "time [h:min:s]"
    )
    if result.duration >= 120:
        last.xaxis.set_major_formatter(lambda value, _: _clock(value, hours=result.duration >= 7200))
    set_title(figure, _title(result), size=11)
    if channels:
        _add_legend(figure, result, labels, colours)
    return figure


def _condensed(result: Result) -> Result:
    """Return a long recording's result with segments averaged over equal stretches, each wide enough to be seen."""
    if len(result.segments) <= 2 * _COLUMNS:
        return result
    step = result.duration / _COLUMNS
    groups: dict[tuple[int, int | None, int], list[Segment]] = {}
    for segment in result.segments:
        column = int((segment.start + segment.end) / 2 / step)
        groups.setdefault((segment.channel, segment.speaker, column), []).append(segment)
    merged = [_merged(own, column * step, (column + 1) * step) for (*_, column), own in groups.items()]
    return msgspec.structs.replace(result, segments=tuple(merged))


def _merged(segments: Sequence[Segment], start: float, end: float) -> Segment:
    seconds: dict[tuple[str | None, str | None], float] = {}
    for segment in segments:
        verdict = segment.label, segment.code
        seconds[verdict] = seconds.get(verdict, 0.0) + segment.end - segment.start
    scores = mean_scores(segments)
    label, code = max(seconds, key=seconds.__getitem__)
    first = segments[0]
    made = Segment(start, end, first.channel, label, max(scores.values()), scores, speaker=first.speaker, code=code)
    return msgspec.structs.replace(made, modalities=mean_modalities(segments) or None)


def _rows(result: Result) -> list[tuple[str, list[Segment]]]:
    """Return the rows of segments with their names: each voice, then what each modality says alone."""
    voices = list(voices_of(result.segments).values())
    several = has_channels(own[0] for own in voices)
    rows = [(voice_name(own[0], several=several) or "emotion", own) for own in voices]
    for name in result.modalities or {}:
        own = [(segment, (segment.modalities or {}).get(name)) for segment in result.segments]
        rows.append((name, [_alone(segment, scores) for segment, scores in own if scores is not None]))
    return rows


def _alone(segment: Segment, scores: dict[str, float]) -> Segment:
    return msgspec.structs.replace(segment, label=max(scores, key=scores.__getitem__), scores=scores)


def _labels(result: Result) -> list[str]:
    return list(result.scores or (result.segments[0].scores if result.segments else {}))


def _title(result: Result) -> str:
    name = shorten(result.file, _LONGEST_TITLE)
    length = (
        f"{result.duration:.2f} s" if result.duration < 120 else _clock(result.duration, hours=result.duration >= 3600)
    )
    if result.scores is None or result.confidence is None:
        return f"{name}  ·  {length}\nno speech found"
    best = max(result.scores, key=result.scores.__getitem__)
    verdict = shorten(result.label or f"uncertain, perhaps {best}", 60)
    return f"{name}  ·  {length}\n{verdict} ({100 * result.confidence:.0f} %)"


def _draw_outline(axes: Axes, time: Floats, low: Floats, high: Floats) -> None:
    if len(time):
        axes.fill_between(time, low, high, color="#5f7285", linewidth=0.4)
        # Quiet recordings fill the panel too; the axis shows their level.
        peak = max(float(np.abs(low).max()), float(np.abs(high).max()), 1e-4)
        axes.set_ylim(-1.08 * peak, 1.08 * peak)
    axes.axhline(0, color=FAINT, linewidth=0.4)
    axes.set_ylabel("amplitude")
    axes.locator_params(axis="y", nbins=3)
    plain(axes)


def _draw_segments(
    axes: Axes, rows: Sequence[tuple[str, Sequence[Segment]]], *, duration: float, colours: dict[str, str]
) -> None:
    """Draw rows of segments."""
    for row, (_, own) in enumerate(rows):
        spans = [(segment.start, segment.end - segment.start) for segment in own]
        faces = [colours[segment.label] if segment.label else _grey(segment) for segment in own]
        axes.broken_barh(
            spans, (row - 0.42, 0.84), facecolors=faces, edgecolors="white", linewidth=0.6 if len(own) < 100 else 0
        )
        for segment in own:
            _name_segment(axes, segment, row, duration=duration, colours=colours)
    axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    if not rows:
        axes.text(0.5, 0.5, "no speech found", transform=axes.transAxes, ha="center", va="center", color=FAINT)
    plain(axes)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _grey(segment: Segment) -> str:
    return _OTHER if segment.code == NOT_SPEECH else _UNCERTAIN


def _name_segment(axes: Axes, segment: Segment, row: int, *, duration: float, colours: dict[str, str]) -> None:
    text = shown(segment.label or ("–" if segment.code == NOT_SPEECH else "?"))
    if (segment.end - segment.start) / max(duration, 1e-3) < _NARROWEST_LABEL * len(text):
        return
    colour = ink_on(colours[segment.label]) if segment.label else INK
    middle = (segment.start + segment.end) / 2
    axes.text(middle, row, text, ha="center", va="center", fontsize=8.5, color=colour, clip_on=True)


def _draw_scores(axes: Axes, segments: Sequence[Segment], labels: Sequence[str], colours: dict[str, str]) -> None:
    """Stack the scores of each segment as coloured boxes: one collection per label, which is fast for thousands."""
    segments = spoken(segments)
    start = np.array([segment.start for segment in segments])
    end = np.array([segment.end for segment in segments])
    floor = np.zeros(len(segments))
    for label in labels:
        top = floor + np.array([segment.scores.get(label, 0.0) for segment in segments])
        boxes = np.stack(
            [np.stack(corner, -1) for corner in ((start, floor), (end, floor), (end, top), (start, top))], 1
        )
        axes.add_collection(PolyCollection(list(boxes), facecolors=colours[label], linewidths=0), autolim=False)
        floor = top
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    percent_axis(axes, "y")
    plain(axes)


def _add_legend(figure: Figure, result: Result, labels: Sequence[str], colours: dict[str, str]) -> None:
    handles = [Patch(color=colours[label], label=shown(label)) for label in labels]
    for colour, name in ((_UNCERTAIN, UNCERTAIN), (_OTHER, OTHER_SOUND)):
        if any(segment.label is None and _grey(segment) == colour for segment in result.segments):
            handles.append(Patch(color=colour, label=name))
    longest = max(len(str(handle.get_label())) for handle in handles)
    rows = -(-len(handles) // max(2, 130 // (longest + 5)))
    ncols = -(-len(handles) // rows)
    figure.legend(handles=handles, loc="outside lower center", ncols=ncols, frameon=False, fontsize=9)


def _clock(seconds: float, *, hours: bool) -> str:
    whole = round(seconds)
    if hours:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"
