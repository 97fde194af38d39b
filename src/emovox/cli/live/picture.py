"""The screen as lines of styled text, for any size from 20 columns. Pure: it writes to no terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from emovox.audio.level import FLOOR_DB
from emovox.cli.console import COLOURS, clock
from emovox.cli.live.letters import ROWS, large
from emovox.cli.live.state import Column, LiveState
from emovox.cli.live.strokes import (
    bar,
    fitting,
    height_of,
    initials,
    joined,
    loudness_of,
    place,
    ranked,
    scale,
    sides,
    strip,
)
from emovox.schema.events import SpeechEnded
from emovox.schema.formats import OTHER_SOUND, adapted_text
from emovox.schema.result import NOT_SPEECH
from emovox.schema.text import printable

NOT_SURE = "not sure"
_LOUD_DB, _CLIPPED_DB = -9.0, -1.0
"""Peaks in dBFS from which the level is yellow and red."""
_WIDEST_BAR = 48
"""Columns of a bar, at most."""
WORD_WIDTH = 32
"""Columns of large letters: the width of "not sure" and of "surprise"."""
_NARROW = 50
"""Columns up to which the screen has no margin and verdicts have no start."""


class Painter:
    """Draws a `LiveState`.

    Args:
        labels: the model's labels. Their order determines the colours and the letters of the timeline.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._colours = {label: COLOURS[index % len(COLOURS)] for index, label in enumerate(labels)}
        self._letters = initials(labels)
        self._widest = max(map(cell_len, labels))

    def paint(self, state: LiveState, *, width: int, height: int) -> list[Text]:
        """Return the lines of the screen.

        Args:
            state: what to draw.
            width: columns, >= 1.
            height: rows, >= 1.

        Returns:
            At most `height` lines of at most `width` columns. The least important parts are left out first: old
            verdicts, the large letters, the loudness of the past.
        """
        margin = " " if width > _NARROW else ""
        inner = width - 2 * len(margin)
        top = [self._header(state, inner), self._level(state, inner)]
        bottom = [Text(), *self._footer(state, inner)] if height >= 20 else self._footer(state, inner)
        rows = height - len(top) - len(bottom)
        middle = self._emotion(state, inner, rows)
        timeline = self._timeline(state, inner, rows - len(middle))
        left = rows - len(middle) - len(timeline)
        verdicts = self._verdicts(state, inner, left)
        padding = [Text()] * max(0, left - len(verdicts))
        lines = [*top, *middle, *timeline, *verdicts, *padding, *bottom][:height]
        drawn = [Text(margin) + line for line in lines]
        for line in drawn:
            line.truncate(width)
        return drawn

    def _header(self, state: LiveState, width: int) -> Text:
        left = Text.assemble(
            ("emovox", "bold"), f"  {printable(state.title)}", ("  ← ", "dim"), printable(state.source)
        )
        return sides(left, Text(clock(state.seconds), "bold"), width)

    def _level(self, state: LiveState, width: int) -> Text:
        mean, peak = state.level
        figures = "   silence" if mean <= FLOOR_DB else f" {mean:4.0f} dBFS"
        length = max(4, width - len(figures) - 7)
        filled, mark = place(mean, length), place(peak, length)
        style = "red" if peak >= _CLIPPED_DB else "yellow" if peak >= _LOUD_DB else "green"
        line = Text("level  ").append("━" * filled, style)
        between = max(0, mark - filled - 1)
        line.append("─" * between, "dim").append("━" if mark > filled else "", style)
        return line.append("─" * (length - max(mark, filled)), "dim").append(figures)

    def _emotion(self, state: LiveState, width: int, rows: int) -> list[Text]:
        """Return the current label, in large letters if there is room, with a bar per label beside or below it."""
        bars = len(state.labels)
        beside = width - WORD_WIDTH - 4 if width >= 72 else 0
        if beside:
            word = self._word(state, WORD_WIDTH, high=rows >= bars + 3)
            drawn = self._bars(state, beside)
            word = [Text()] * max(0, (bars - len(word)) // 2) + word
            word += [Text()] * (bars - len(word))
            lines = [joined(left, bar, at=width - beside) for left, bar in zip(word, drawn, strict=False)]
        else:
            word = self._word(state, width, high=rows >= bars + 3 + ROWS)
            lines = [*word, *self._bars(state, width)]
        return fitting([Text(), *lines, Text()], rows)

    def _word(self, state: LiveState, width: int, *, high: bool) -> list[Text]:
        text, style, below = self._moment(state)
        drawn = large(text, width=width) if high and state.latest is not None else None
        if drawn is None:
            return [Text(text, f"bold {style}"), below]
        return [*(Text(line, style) for line in drawn), below]

    def _moment(self, state: LiveState) -> tuple[str, str, Text]:
        latest = state.latest
        if latest is None and not state.speaking:
            hint = "the input is all zeros: is it muted?" if state.is_silent else "no speech"
            return "listening …", "dim", Text(hint, "dim")
        if latest is None:
            return "speech …", "", Text("too short to tell yet", "dim")
        if latest.label is None:
            best = max(latest.scores, key=latest.scores.__getitem__)
            return NOT_SURE, "dim", Text(f"perhaps {printable(best)}, {latest.confidence:.2f}", "dim")
        several = f"  channel {latest.channel}" if len(state.histories) > 1 else ""
        return latest.label, self._colours[latest.label], Text(f"{latest.confidence:.2f}{several}")

    def _bars(self, state: LiveState, width: int) -> list[Text]:
        latest = state.latest
        scores: Mapping[str, float] = latest.scores if latest is not None else {}
        length = max(1, min(_WIDEST_BAR, width - self._widest - 9))
        lines = []
        for label, colour in self._colours.items():
            score = scores.get(label)
            chosen = latest is not None and label == latest.label
            line = Text().append(f"{self._letters[label]} ", f"bold {colour}")
            line.append(set_cell_size(printable(label), self._widest) + " ", "bold" if chosen else "")
            line.append(bar(score or 0.0, length), colour)
            line.append("     ·" if score is None else f"  {score:.2f}", "bold" if chosen else "dim")
            lines.append(line)
        return lines

    def _timeline(self, state: LiveState, width: int, rows: int) -> list[Text]:
        """Return up to three lines per channel and the scale; with little room, only the lines of letters."""
        each = (rows - 1) // len(state.histories)
        lines: list[Text] = []
        for channel, history in state.histories.items():
            name = f"{channel} " if len(state.histories) > 1 else ""
            columns = list(history.latest(state.seconds, width - len(name)))
            drawn = [loudness_of(columns), self._confidences(columns), self._initials(columns)]
            heads = [Text(" " * len(name))] * (len(drawn) - 1) + [Text(name)]
            pairs = list(zip(heads, drawn, strict=True))[-max(1, each) :]
            lines += [head + line for head, line in pairs]
        return [*lines, scale(width, hop=state.hop)][: max(0, rows)]

    def _confidences(self, columns: Sequence[Column]) -> Text:
        return strip(self._confidence(column) for column in columns)

    def _confidence(self, column: Column) -> tuple[str, str]:
        if column.confidence is None:
            return "▁" if column.is_speech else " ", "dim"
        return height_of(column.confidence), self._colours.get(column.label or "", "dim")

    def _initials(self, columns: Sequence[Column]) -> Text:
        return strip(self._initial(column) for column in columns)

    def _initial(self, column: Column) -> tuple[str, str]:
        if not column.is_speech or column.confidence is None:
            return "…" if column.is_speech else "·", "dim"
        if column.label is None:
            return "?", "dim"
        shade = "bold" if column.is_final else "not bold"
        return self._letters[column.label], f"{shade} {self._colours[column.label]}"

    def _verdicts(self, state: LiveState, width: int, rows: int) -> list[Text]:
        head = [Text(), Text("heard", "dim")][: max(0, min(rows - 1, 2))]
        shown = list(state.verdicts)[-max(0, rows - len(head)) :] if rows > 0 else []
        lines = [self._verdict(state, event, width) for event in reversed(shown)]
        return [*head, *lines] if lines else []

    def _verdict(self, state: LiveState, event: SpeechEnded, width: int) -> Text:
        line = Text(f"{clock(event.start):>7} – {clock(event.end):<7} " if width >= _NARROW else f"{clock(event.end)} ")
        if len(state.histories) > 1:
            line.append(f"channel {event.channel}  ")
        if event.code == NOT_SPEECH:
            return line.append(OTHER_SOUND, "dim")
        label = event.label or NOT_SURE
        line.append(set_cell_size(printable(label), self._widest), self._colours.get(event.label or "", "dim"))
        line.append(f" {event.confidence:.2f}", "bold")
        others = [item for item in ranked(event.scores) if item[0] != event.label][:2]
        text = "   " + ", ".join(f"{printable(name)} {score:.2f}" for name, score in others)
        return line.append(text if len(line) + cell_len(text) <= width else "", "dim")

    def _footer(self, state: LiveState, width: int) -> list[Text]:
        parts = [Text("latency –" if state.latency is None else f"latency {1000 * state.latency:.0f} ms")]
        if state.adapted is not None:
            parts.append(Text(printable(adapted_text(state.adapted))))
        if state.lost or state.overflows:
            parts.append(Text(f"LOST {state.lost:.1f} s of sound, {state.overflows} overflows", "bold red"))
        if state.given_up:
            parts.append(Text(f"{state.given_up} previews given up", "yellow"))
        left = Text("  ·  ", "dim").join(parts)
        return [Text(printable(state.keeping), "dim"), sides(left, Text("Ctrl-C ends", "dim"), width)]
