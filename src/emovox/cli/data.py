"""`emovox data`: describe, index, verify and count corpora, published ones and the user's recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from emovox.cli.console import Form, columns, complain, present, say
from emovox.cli.progress import counting
from emovox.corpora.corpus import Corpus
from emovox.corpora.label_map import LabelMap, read_label_map
from emovox.corpora.load import MANIFEST_SUFFIX
from emovox.corpora.manifest import Clip, read_manifest, write_manifest
from emovox.corpora.registry import CORPORA, GENERIC, SPEAKER_CORPORA, get_corpus, index, locate
from emovox.corpora.stats import DROPPED, CorpusStats, corpus_stats
from emovox.corpora.verify import Problem, VerifyReport, verify, verify_clips
from emovox.schema.errors import CorpusError
from emovox.schema.text import json_line, printable

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

MOST_SHOWN = 20
"""Findings of one kind that a table shows, at most: about a screenful. JSON has all."""


Name = Annotated[
    str, typer.Argument(metavar="CORPUS", help="A published corpus, table or folders; emovox data info lists them.")
]
NameOrManifest = Annotated[
    str,
    typer.Argument(
        metavar="CORPUS", help="A published corpus, table or folders (see emovox data info), or a manifest (.jsonl)."
    ),
]
Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="DIR", help="Folder of the corpus; for table, the CSV file. Default: $EMOVOX_CORPORA/CORPUS."
    ),
]
Partial = Annotated[
    bool, typer.Option("--partial", help="Accept missing files, and use those that exist; also for tables.")
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="<native=label>",
        help="Map a label of the corpus; NATIVE= drops its clips. Repeat, or give a .toml or .json file.",
    ),
]
Format = Annotated[Form, typer.Option(help="Format of the output.")]


@app.command()
def info(
    corpus: Annotated[str | None, typer.Argument(help="Name of a corpus to describe. Default: list all.")] = None,
    format: Format = Form.TABLE,
) -> None:
    """Describe a corpus, or list all corpora.

    The description says where to get the corpus, its licence, its citation, and how its labels are mapped.
    """
    if corpus is not None and corpus in GENERIC:
        say(f"{corpus}: {GENERIC[corpus]}")
    elif corpus is not None:
        one = get_corpus(corpus)
        present(format, _facts(one), _description(one))
    elif format is Form.JSON:
        present(format, [_facts(one) for one in CORPORA.values()], "")
    else:
        rows = [
            [one.name, " ".join(one.languages), f"{one.clips}", _number(one.speakers), one.licence]
            for one in CORPORA.values()
        ]
        say(columns([["corpus", "language", "clips", "speakers", "licence"], *rows]))
        others = {one.name: f"for pretraining: {one.title}" for one in SPEAKER_CORPORA.values()} | dict(GENERIC)
        say(columns([[name, text] for name, text in others.items()]), nl=False)


@app.command(name="index")
def index_corpus(
    corpus: Name,
    directory: Folder = None,
    output: Annotated[Path | None, typer.Option(help="The .jsonl file to write. Default: standard output.")] = None,
    partial: Partial = False,
    map: Map = None,
) -> None:
    """Write a manifest of a corpus: one JSON line per clip."""
    if output is not None and output.suffix != MANIFEST_SUFFIX:
        raise typer.BadParameter(f"got '{output}', expected a name that ends in .jsonl", param_hint="--output")
    root = _root(corpus, directory)
    with counting("clips") as progress:
        clips = index(corpus, root, partial=partial, labels=_labels(map), progress=progress)
    if output is None:
        for clip in clips:
            say(json_line(clip), safe=True)
        return
    write_manifest(clips, output)
    dropped = sum(clip.label is None for clip in clips)
    extra = sorted({name for clip in clips if clip.extra for name in clip.extra})
    kept = f"; further columns are kept as extra: {', '.join(extra)}" if extra else ""
    complain(f"{output}: {len(clips)} clips, {dropped} of them with a dropped label{kept}")


@app.command(name="verify")
def verify_corpus(
    corpus: NameOrManifest,
    directory: Folder = None,
    partial: Partial = False,
    map: Map = None,
    format: Format = Form.TABLE,
) -> None:
    """Decode every clip of a corpus and check its counts.

    The counts are compared with the published ones. The exit status is 1 if anything is wrong.
    """
    with counting("clips") as progress:
        if corpus.endswith(MANIFEST_SUFFIX):
            report = verify_clips(_manifest(corpus, directory, map), partial=partial, progress=progress)
        else:
            root = _root(corpus, directory)
            report = verify(corpus, root, partial=partial, labels=_labels(map), progress=progress)
    present(format, {"ok": report.ok} | msgspec.to_builtins(report), _findings(report))
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def stats(
    corpus: NameOrManifest,
    directory: Folder = None,
    partial: Partial = False,
    map: Map = None,
    format: Format = Form.TABLE,
) -> None:
    """Count clips, speakers and hours by label and sex.

    The output also has durations, sample rates and the mean level of each label.
    """
    if corpus.endswith(MANIFEST_SUFFIX):
        clips = _manifest(corpus, directory, map)
    else:
        clips = index(corpus, _root(corpus, directory), partial=partial, labels=_labels(map))
    with counting("clips") as progress:
        figures = corpus_stats(clips, progress=progress)
    present(format, msgspec.to_builtins(figures), _figures(figures))


def _root(corpus: str, directory: Path | None) -> Path:
    if directory is not None:
        return directory
    if corpus in GENERIC:
        what = "the CSV file" if corpus == "table" else "the folder"
        raise CorpusError(f"{corpus}: no path given, expected {what}: emovox data index {corpus} PATH")
    return locate(corpus, os.environ)


def _manifest(path: str, directory: Path | None, map: list[str] | None) -> tuple[Clip, ...]:
    if directory is not None or map:
        raise CorpusError(f"{path}: got a manifest with a folder or --map; expected the manifest alone, index it again")
    return read_manifest(path)


def _labels(map: list[str] | None) -> LabelMap | None:
    return read_label_map(map) if map else None


def _facts(corpus: Corpus) -> dict[str, Any]:
    return {
        "name": corpus.name,
        "title": corpus.title,
        "languages": corpus.languages,
        "clips": corpus.clips,
        "speakers": corpus.speakers,
        "licence": corpus.licence,
        "licence_risk": corpus.licence_risk,
        "where": corpus.where,
        "labels": [
            {"native": native, "label": corpus.labels[native], "clips": clips}
            for native, clips in corpus.counts.items()
        ],
        "citation": corpus.citation,
    }


def _description(corpus: Corpus) -> str:
    head = [
        ["languages", " ".join(corpus.languages)],
        ["clips", f"{corpus.clips} of {_number(corpus.speakers)} speakers"],
        ["licence", corpus.licence],
        ["risk", corpus.licence_risk],
        ["where", corpus.where],
    ]
    labels = [[native, corpus.labels[native] or DROPPED, f"{clips}"] for native, clips in corpus.counts.items()]
    speakers = [["native label", "label"], ["speaker", "the same"]]
    table = columns([["native label", "label", "clips"], *labels] if labels else speakers)
    return f"{corpus.name}: {corpus.title}\n\n{columns(head)}\n{table}\n{corpus.citation}\n"


def _findings(report: VerifyReport) -> str:
    clips, speakers = _of(report.clips, report.published_clips), _of(report.speakers, report.published_speakers)
    counts = [[c.native, c.label or DROPPED, f"{c.found}", _number(c.published)] for c in report.labels]
    blocks = [
        f"{printable(report.corpus)}: {clips} clips, {speakers} speakers",
        columns([["native label", "label", "found", "published"], *counts]).rstrip("\n"),
        *_list("missing", report.missing),
        *_list("undecodable", map(_line, report.undecodable)),
        *_list("contradictory", map(_line, report.contradictions)),
        *_list("duplicated", (" = ".join(one.ids) for one in report.duplicates if not one.known)),
        *_list("duplicated, known", (" = ".join(one.ids) for one in report.duplicates if one.known)),
        *_list("silent", report.silent),
        *_list("second copies", report.copies),
        *_list("not clips of the corpus", map(_line, report.strangers)),
        "ok" if report.ok else "not ok",
    ]
    return "\n\n".join(blocks) + "\n"


def _list(title: str, findings: Iterable[str]) -> list[str]:
    lines = list(findings)
    more = [f"  … and {len(lines) - MOST_SHOWN} more (--format json shows all)"] if len(lines) > MOST_SHOWN else []
    shown = [f"  {printable(line)}" for line in lines[:MOST_SHOWN]]
    return [f"{title}: {len(lines)}\n" + "\n".join(shown + more)] if lines else []


def _line(problem: Problem) -> str:
    return f"{problem.what}: {problem.problem}"


def _figures(figures: CorpusStats) -> str:
    sexes = sorted({sex for label in figures.labels for sex in label.sexes})
    labels = [
        [
            one.label,
            f"{one.clips}",
            *(f"{one.sexes.get(sex, 0)}" for sex in sexes),
            f"{one.hours:.2f}",
            _level(one.level),
        ]
        for one in figures.labels
    ]
    speakers = sorted({speaker for label in figures.labels for speaker in label.speakers})
    by_speaker = [["speaker", *(one.label for one in figures.labels)]]
    # where the labels are the speakers, the table would have the square of their number of cells
    if set(speakers) != set(by_speaker[0][1:]):
        by_speaker += [[s, *(f"{one.speakers.get(s, 0)}" for one in figures.labels)] for s in speakers]
    durations = [[f"{float(q):.0%}" for q in figures.durations], [f"{s:.2f} s" for s in figures.durations.values()]]
    rates = ", ".join(f"{rate} Hz ({clips} clips)" for rate, clips in figures.sample_rates.items())
    blocks = [
        f"{printable(figures.corpus)}: {figures.clips} clips, {figures.speakers} speakers, {figures.hours:.2f} hours\n",
        columns([["label", "clips", *sexes, "hours", "mean level"], *labels]),
        *([columns(by_speaker)] if len(by_speaker) > 1 else []),
        columns([["duration", *durations[0]], ["", *durations[1]]]),
        columns([["sample rate", rates], ["language", ", ".join(figures.languages)]]),
    ]
    return "\n".join(blocks)


def _level(level: float | None) -> str:
    return "silence" if level is None else f"{level:.1f} dBFS"


def _of(found: int, published: int | None) -> str:
    return f"{found}" if published is None else f"{found} of {published}"


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value}"
