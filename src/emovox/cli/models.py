"""`emovox models`: the models that are here, their figures and their licences; `models fetch` brings more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from emovox.cli.console import Bar, Form, columns, present, say
from emovox.runtime.fetch import BASE, fetch, fetchable, is_here
from emovox.runtime.registry import graph_size, heads, read_card, resolve, shipped
from emovox.schema.card import Figure, ModelCard
from emovox.schema.text import printable

FETCH = "fetch"
"""Word before the name of a model to fetch."""


def models(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME | fetch NAME]", help="Name or path of a model or head to show. Default: list all."
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--from",
            envvar=BASE,
            metavar="<address|folder>",
            help="Where fetch finds the files of a release. They are checked by SHA-256.",
        ),
    ] = None,
    format: Annotated[Form, typer.Option(help="Format of the output.")] = Form.TABLE,
) -> None:
    """List the models and heads that are here, show the card of one, or fetch one that this installation lacks.

    A head replaces that of a model: predict --model accurate --head permissive.
    """
    match names or []:
        case []:
            _list(format)
        case [name] if name != FETCH:
            path = resolve(name)
            card = read_card(path)
            present(format, _as_data(card, path), _card_text(card, path))
        case [word, name] if word == FETCH:
            _fetch(name, base)
        case [word, *_] if word == FETCH:
            raise typer.BadParameter(f"fetch takes one name: {', '.join(fetchable())}")
        case _:
            raise typer.BadParameter(f"got the names {', '.join(names or [])}, expected one, or fetch and one")


def _list(format: Form) -> None:
    cards = [(read_card(path), path) for path in (*shipped().values(), *heads().values())]
    if format is Form.JSON:
        present(format, [_as_data(card, path) for card, path in cards], "")
        return
    if not cards:
        say("no models come with this installation; give predict the path of a NAME.onnx")
    say("\n".join(_entry(card, path) for card, path in cards), nl=False)
    missing = {name: files for name, files in fetchable().items() if not is_here(name)}
    if missing:
        sizes = ", ".join(f"{name} {sum(file.bytes for file in files) / 1e6:.1f} MB" for name, files in missing.items())
        say(f"\nnot here, but for emovox models fetch NAME: {sizes}")


def _quantisation(card: ModelCard) -> list[list[str]]:
    about = card.quantisation
    if about is None:
        return []
    kept = f"{100 * about.unchanged:.1f} % of {about.tiles} calibration tiles keep their label"
    return [["  precision", f"{about.precision} for {about.target}; {kept}; figures of the {about.figures} model"]]


def _fetch(name: str, base: str | None) -> None:
    total = sum(file.bytes for file in fetchable().get(name, ()))
    with Bar(max(total, 1)) as bar:
        arrived = 0

        def count(size: int) -> None:
            nonlocal arrived
            arrived += size
            bar.update(arrived, f"{arrived / 1e6:.1f} of {total / 1e6:.1f} MB")

        paths = fetch(name, base=base, done=count)
    for path in paths:
        say(str(path))


def _entry(card: ModelCard, path: Path) -> str:
    takes = [] if card.encoder is None else [["  head for", f"--model {card.encoder.name} --head {card.name}"]]
    rows = [
        *takes,
        ["  labels", " ".join(card.labels)],
        ["  size", f"{card.parameters:,} parameters, {graph_size(path) / 1e6:.1f} MB"],
        ["  licence", f"{card.licence}; risk: {card.licence_risk}"],
    ]
    rows += [["  limits", card.limits]] if card.limits else []
    rows += _quantisation(card)
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
