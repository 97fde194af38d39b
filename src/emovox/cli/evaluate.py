"""`emovox evaluate`: figures of a model, of a training run, or of predictions alone."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emovox.cli.console import make_folder
from emovox.cli.form import Form
from emovox.cli.progress import counting
from emovox.schema.errors import PredictionsError, ProtocolError
from emovox.schema.extras import require

if TYPE_CHECKING:
    from emovox.evaluation.comparison import Entry
    from emovox.evaluation.model_run import ModelRun
    from emovox.evaluation.report import Facts

NO_MODEL = "-"


def evaluate(
    model: Annotated[
        str, typer.Argument(help="Shipped name, NAME.onnx, or folder of emovox train; - for predictions alone.")
    ] = NO_MODEL,
    corpus: Annotated[
        str | None, typer.Option(help="Corpora by name or manifest (.jsonl), separated by commas.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="si, si-fusion, joint, sd or zero-shot; told from the file's name unless given.")
    ] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(help="CSV of predictions; several are compared with the first.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for report, pictures and predictions; a killed run goes on from here.")
    ] = None,
    format: Annotated[Form, typer.Option(help="Form of the figures on standard output.")] = Form.TABLE,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Measure a model on corpora, or recompute all figures from predictions without a model.

    Recordings that cannot be used are listed and count as wrong; the exit status is then 1.
    """
    for module in ("sklearn", "matplotlib"):
        require(module, need="emovox evaluate", extra="evaluate")
    from emovox.cli.figures import as_json, as_table
    from emovox.evaluation.comparison import compare, measure
    from emovox.evaluation.report import Facts, published_sexes, write_measured

    _check(model, corpus=corpus, protocol=protocol, predictions=predictions)
    command = _command(model, corpus=corpus, protocol=protocol, predictions=predictions, output=output, seed=seed)
    run, work = None, None
    if _is_model(model):
        run, work = _run_model(model, str(corpus), protocol=protocol, output=output, command=command)
        corpus = protocol = None  # they said what the model is run on; files beside it are taken as they are
    files = [*_files_of_run(model), *(predictions or [])]
    _spare(files, output)
    entries = [*(run.entries if run else ()), *_read(files, corpus=corpus, protocol=protocol)]
    facts, failures = (run.facts, run.failures) if run else (Facts(command=command, sexes=published_sexes(entries)), ())
    measured = measure(entries, seed=seed)
    comparisons = compare(measured, seed=seed)
    _warn(facts)
    json = format is Form.JSON
    text = as_json(measured, comparisons, facts, failures) if json else as_table(measured, comparisons, facts)
    typer.echo(text, nl=False)
    if output is not None:
        title = "Evaluation of " + ", ".join(dict.fromkeys(entry.name for entry in entries))
        page = write_measured(measured, comparisons, output, facts=facts, title=title)
        typer.echo(f"report: {page}", err=True)
    if work is not None:
        work.unlink(missing_ok=True)
    if failures:
        raise typer.Exit(1)


def _check(model: str, *, corpus: str | None, protocol: str | None, predictions: Sequence[Path] | None) -> None:
    from emovox.corpora.folds import PROTOCOLS

    if protocol is not None and protocol not in PROTOCOLS:
        expected = ", ".join(PROTOCOLS)
        raise typer.BadParameter(f"got '{protocol}', expected one of {expected}", param_hint="--protocol")
    if model == NO_MODEL and not predictions:
        raise typer.BadParameter("got neither a model nor --predictions, expected one of them", param_hint="MODEL")
    if _is_model(model) and corpus is None:
        raise typer.BadParameter(f"got none, expected the corpora to run {model} on", param_hint="--corpus")


def _spare(files: Sequence[Path], output: Path | None) -> None:
    """Refuse a report beside its inputs: it writes predictions by their names, rounded and of the chosen corpora."""
    if output is not None and any(file.resolve().parent == output.resolve() for file in files):
        raise typer.BadParameter(
            f"got the folder of the predictions, {output}, expected another", param_hint="--output"
        )


def _is_model(model: str) -> bool:
    return model != NO_MODEL and not os.path.isdir(model)  # pathlib raises where a name is too long


def _run_model(
    model: str, corpus: str, *, protocol: str | None, output: Path | None, command: str
) -> tuple[ModelRun, Path | None]:
    from emovox.corpora.load import load_clips
    from emovox.evaluation.model_run import evaluate_model
    from emovox.runtime.predictor import load
    from emovox.runtime.registry import resolve

    predictor = load(model)
    clips = load_clips([name.strip() for name in corpus.split(",")])
    work = None
    if output is not None:
        make_folder(output)
        # Named by the graph: scores of another version of the model must not be taken for this one's.
        work = output / f".partial-{predictor.card.sha256[:16]}.csv"
    with counting("clips") as progress:
        run = evaluate_model(
            predictor,
            clips,
            protocol=protocol,
            graph=resolve(model).with_suffix(".onnx"),
            command=command,
            work=work,
            pictures=output is not None,
            progress=progress,
        )
    return run, work


def _files_of_run(model: str) -> list[Path]:
    if model == NO_MODEL or _is_model(model):
        return []
    # by stem, so that the path of `predict` comes before "-whole" and is what the others are compared with
    files = sorted((Path(model) / "predictions").glob("*.csv"), key=lambda path: path.stem)
    if not files:
        raise PredictionsError(
            f"{model}: got a folder without predictions/*.csv, expected one that emovox train has made; "
            "name the files with --predictions"
        )
    return files


def _read(files: Sequence[Path], *, corpus: str | None, protocol: str | None) -> list[Entry]:
    import numpy as np

    from emovox.evaluation.comparison import PROTOCOLS, Entry, check_independent, describe_protocol
    from emovox.evaluation.predictions import read_predictions

    names = [file.stem for file in files]
    entries = []
    for file in files:
        made = read_predictions(file)
        if corpus is not None:
            made = made.select(np.isin(made.corpus, corpus.split(",")))
        if not len(made):
            raise ProtocolError(f"{file}: got no clips of {corpus}, expected some; leave --corpus out to take all")
        words = PROTOCOLS[protocol] if protocol is not None else describe_protocol(file.stem)
        name = file.stem if names.count(file.stem) == 1 else str(file.with_suffix(""))
        entry = Entry(name, made, words)
        if words.startswith("speaker-independent"):
            check_independent(entry)
        entries.append(entry)
    return entries


def _warn(facts: Facts) -> None:
    from emovox.evaluation.caveats import training_alert

    if facts.trained_on:
        text = training_alert(facts.trained_on, model=facts.model).text
        typer.secho(f"WARNING: {text}", err=True, fg="red", bold=True)
    for note in facts.notes:
        typer.echo(f"note: {note}", err=True)


def _command(
    model: str,
    *,
    corpus: str | None,
    protocol: str | None,
    predictions: Sequence[Path] | None,
    output: Path | None,
    seed: int,
) -> str:
    words = ["emovox", "evaluate", model]
    for option, value in (("--corpus", corpus), ("--protocol", protocol)):
        words += [option, value] if value is not None else []
    for file in predictions or []:
        words += ["--predictions", str(file)]
    words += ["--output", str(output)] if output is not None else []
    return shlex.join([*words, "--seed", str(seed)])
