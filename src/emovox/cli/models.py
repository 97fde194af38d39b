"""`emovox models`: the shipped models, their figures and their licences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from emovox.cli.console import Form, columns, present, say
from emovox.runtime.registry import graph_size, heads, read_card, resolve, shipped
from emovox.schema.card import Figure, ModelCard
from emovox.schema.text import printable


def models(
    name: Annotated[
        str | None, typer.Argument(help="Name or path of a model or head to show. Default: list all.")
    ] = None,
    format: Annotated[Form, typer.Option(help="Format of the output.")] = Form.TABLE,
) -> None:
    """List the models and heads that come with emovox, or show the card of one.

    A head replaces that of a model: predict --model accurate --head permissive.
    """
    if name is not None:
        path = resolve(name)
        card = read_card(path)
        present(format, _as_data(card, path), _card_text(card, path))
        return
    cards = [(read_card(path), path) for path in (*shipped().values(), *heads().values())]
    if format is Form.JSON:
        present(format, [_as_data(card, path) for card, path in cards], "")
    elif not cards:
        say("no models are shipped with this installation; give predict the path of a NAME.onnx")
    else:
        say("\n".join(_entry(card, path) for card, path in cards), nl=False)


def _entry(card: ModelCard, path: Path) -> str:
    takes = [] if card.encoder is None else [["  head for", f"--model {card.encoder.name} --head {card.name}"]]
    rows = [
        *takes,
        ["  labels", " ".join(card.labels)],
        ["  size", f"{card.parameters:,} parameters, {graph_size(path) / 1e6:.1f} MB"],
        ["  licence", f"{card.licence}; risk: {card.licence_risk}"],
    ]
    rows += [["  limits", card.limits]] if card.limits else []
    return f"{card.name} {card.version}  {printable(card.description)}\n{columns(rows)}{_figures(card.figures)}"


def _card_text(card: ModelCard, path: Path) -> str:
    rows = [
        ["  input", f"{card.sample_rate} Hz mono, {card.shortest} to {card.longest} s, windows of {card.window} s"],
        ["  adaptable", "to a speaker" if card.adaptable else "no"],
        ["  threshold", f"{card.threshold:.2f} (no label below this score), temperature {card.temperature:.2f}"],
        ["  recipe", f"{card.recipe} (sha256 {card.recipe_sha256[:12]}…)"],
        ["  sha256", card.sha256],
    ]
    heads = ["  trained on", "speakers", "clips", "licence"]
    corpora = [[f"    {c.name}", str(c.speakers), str(c.clips), c.licence] for c in card.corpora]
    return _entry(card, path) + columns(rows) + columns([heads, *corpora])


def _figures(figures: tuple[Figure, ...]) -> str:
    heads = ["  measured on", "protocol", "metric", "%", "95 % interval"]
    rows = [
        [f"    {f.corpus}", f.protocol, f.metric, f"{f.value:.1f}", f"{f.low:.1f} to {f.high:.1f}"] for f in figures
    ]
    return columns([heads, *rows])


def _as_data(card: ModelCard, path: Path) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(card)
    data.pop("head")  # thousands of base64 characters; programs that need it read the card
    return data | {"bytes": graph_size(path), "path": str(path)}
