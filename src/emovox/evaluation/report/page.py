"""A report as one HTML page, as Markdown with pictures, and with the predictions that it shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emovox.corpora.registry import CORPORA
from emovox.evaluation.figures.comparison import Comparison, Entry, Measured, compare, measure
from emovox.evaluation.figures.files import write_predictions
from emovox.evaluation.report.caveats import caveats, training_alert
from emovox.evaluation.report.document import Block, Code, Heading, Items, Picture, Text, to_html, to_markdown
from emovox.evaluation.report.sections import (
    Latency,
    Sexes,
    calibration_sentences,
    comparison_table,
    corpus_section,
    headline_table,
    latency_blocks,
)
from emovox.schema.files import write_whole


@dataclass(frozen=True)
class Facts:
    """Further content of a report; all of it is optional.

    Attributes:
        command: the command line that makes the report, as typed.
        model: name of the model that the latency and the training corpora belong to.
        parameters: number of parameters by entry name.
        latency: measured latency of the model.
        trained_on: corpora of the report that the model was trained on; they get a warning.
        sexes: sex of speakers, by (corpus, speaker).
        notes: further sentences: clips that were dropped, files that could not be decoded.
        pictures: of the model's embedding.
    """

    command: str = ""
    model: str = ""
    parameters: Mapping[str, int] = field(default_factory=dict)
    latency: Latency | None = None
    trained_on: tuple[str, ...] = ()
    sexes: Sexes = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()


def write_report(
    entries: Sequence[Entry], folder: Path, *, facts: Facts | None = None, title: str = "Evaluation", seed: int = 0
) -> Path:
    """Measure predictions and write `report.html`, `report.md`, PNGs and a copy of the predictions.

    The HTML page needs no other file. The other entries are compared with the first one. Give a baseline last.

    Args:
        entries: sets of predictions, at least one.
        folder: gets the files; it is made if it is missing.
        facts: further content.
        title: heading of the report.
        seed: of the bootstrap.

    Returns:
        The path of the HTML page.

    Raises:
        ConfigError: the folder cannot be made or written to.
    """
    measured = measure(entries, seed=seed)
    return write_measured(measured, compare(measured, seed=seed), folder, facts=facts or Facts(), title=title)


def write_measured(
    measured: Sequence[Measured], comparisons: Sequence[Comparison], folder: Path, *, facts: Facts, title: str
) -> Path:
    """Write the report of figures that are computed already; see `write_report`."""
    blocks = _blocks(measured, comparisons, facts)
    for block in blocks:
        if isinstance(block, Picture):
            write_whole(folder / block.file, block.png, make_folder=True)
    for each, name in zip(measured, _file_names(measured), strict=True):
        write_predictions(each.predictions, folder / f"{name}.csv")
    write_whole(folder / "report.md", to_markdown(title, blocks).encode())
    page = folder / "report.html"
    write_whole(page, to_html(title, blocks).encode())
    return page


def _blocks(measured: Sequence[Measured], comparisons: Sequence[Comparison], facts: Facts) -> list[Block]:
    blocks: list[Block] = []
    if facts.trained_on:
        blocks.append(training_alert(facts.trained_on, model=facts.model))
    blocks += [
        Text("All figures in %, with 95 % intervals in brackets."),
        headline_table(measured, costs=costs(facts)),
    ]
    if sentences := [*calibration_sentences(measured), *facts.notes]:
        blocks.append(Items(tuple(sentences)))
    if comparisons:
        blocks += [Heading("Differences on the same clips"), comparison_table(comparisons)]
        reasons = tuple(f"{each.second} on {each.corpus}: {each.reason}" for each in comparisons if each.reason)
        blocks += [Items(reasons)] if reasons else []
    for each, name in zip(measured, _file_names(measured), strict=True):
        blocks += corpus_section(each, file=name, sexes=facts.sexes) if each.detailed else []
    if facts.pictures:
        blocks += [Heading("Which clips the model sees as neighbours"), *facts.pictures]
    if facts.latency is not None:
        blocks += latency_blocks(facts.latency)
    blocks += caveats(measured)
    blocks += [Heading("How to make this report again")]
    blocks += [Code(facts.command)] if facts.command else []
    copies = " ".join(f"--predictions {name}.csv" for name in _file_names(measured))
    return [*blocks, Text("From the predictions beside it, without a model:"), Code(f"emovox evaluate {copies}")]


def published_sexes(entries: Sequence[Entry]) -> Sexes:
    """Return the sex of the speakers of published corpora, if it is known without their files."""
    corpora = {corpus for entry in entries for corpus in entry.predictions.corpora} & set(CORPORA)
    return {(name, speaker): sex for name in corpora for speaker, sex in CORPORA[name].layout.speakers.items()}


def costs(facts: Facts) -> dict[str, tuple[str, str]]:
    """Return number of parameters and latency of each entry, in words, if they are known."""
    found = {name: (f"{count:,}", "–") for name, count in facts.parameters.items()}
    if facts.latency is not None:
        total = facts.latency.parts["total"]
        text = f"{total.median:.1f} ms for {facts.latency.audio:.1f} s"
        found[facts.model] = (found.get(facts.model, ("–", ""))[0], text)
    return found


def _file_names(measured: Sequence[Measured]) -> list[str]:
    """Return the names of the files of each section: safe on every system, and all different."""
    names: list[str] = []
    for each in measured:
        told = each.corpus if each.key is None else each.key.stem
        text = each.name if told in each.name else f"{each.name}-{told}"
        stem = re.sub(r"[^\w.-]+", "-", text).strip("-.") or "predictions"
        taken = sum(name == stem or name.startswith(f"{stem}~") for name in names)
        names.append(f"{stem}~{taken + 1}" if taken else stem)
    return names
