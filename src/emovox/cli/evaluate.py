"""`emovox evaluate`: figures of a model, of a training run, or of predictions alone."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emovox.cli.console import Form, complain, make_folder, say
from emovox.cli.progress import counting
from emovox.cli.trust import TRUST, evaluate_trust
from emovox.schema.errors import UnknownModelError
from emovox.schema.extras import require
from emovox.schema.text import printable

if TYPE_CHECKING:
    from emovox.evaluation.figures.comparison import Entry
    from emovox.evaluation.model_run import ModelRun
    from emovox.evaluation.report.document import Picture
    from emovox.evaluation.report.page import Facts

NO_MODEL = "-"


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL|RUN [RUN]...]",
            help="A model (shipped name or NAME.onnx), run folders of emovox train, or - with --predictions.",
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(help="Corpora, separated by commas: names or manifests (.jsonl). Required with a model."),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="si, si-fusion, joint, sd, unheard or zero-shot. Default: that of the name of the file. Or trust: "
            "tests of one model, run or module:function (a Python function of samples and rate)."
        ),
    ] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(help="CSV file of predictions. Repeat to compare others with the first.")
    ] = None,
    views: Annotated[
        bool | None,
        typer.Option(help="Include other test conditions of runs, such as 8 kHz. Default: of a single run only."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the report, pictures and predictions. A run that was killed continues there."),
    ] = None,
    format: Annotated[Form, typer.Option(help="Format of the figures on standard output.")] = Form.TABLE,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap intervals.")] = 0,
    noise: Annotated[Path | None, typer.Option(help="With trust: folder of noises. Default: $EMOVOX_NOISE.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="With trust: exit with 1 if a test fails.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="With trust: the short form, about 3 minutes.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="With trust: use the answers of an earlier run of the same model.")
    ] = False,
) -> None:
    """Evaluate a model, or recompute figures from predictions.

    A model is run on corpora. Training runs are compared side by side. Recordings that cannot be used are listed and
    count as wrong, and the exit status is 1.
    """
    for module in ("sklearn", "matplotlib", "jinja2"):
        require(module, need="emovox evaluate", extra="evaluate")
    from emovox.cli.figures import as_json, as_table
    from emovox.evaluation.figures.comparison import compare, measure
    from emovox.evaluation.report.page import Facts, published_sexes, write_measured

    named = models or [NO_MODEL]
    if protocol == TRUST:
        _check_trust(named, corpus=corpus, predictions=predictions, views=views)
        command = _trust_command(named[0], corpus=corpus, noise=noise, quick=quick, output=output, seed=seed)
        evaluate_trust(
            named[0], corpus=corpus, noise=noise, strict=strict, quick=quick, resume=resume, output=output,
            form=format, command=command, seed=seed,
        )  # fmt: skip
        return
    if noise is not None or strict or quick or resume:
        raise typer.BadParameter("expected trust for --noise, --strict, --quick and --resume", param_hint="--protocol")
    _check(named, corpus=corpus, protocol=protocol, predictions=predictions)
    command = _command(
        named, corpus=corpus, protocol=protocol, predictions=predictions, views=views, output=output, seed=seed
    )
    run, work = None, None
    if _is_model(named[0]):
        run, work = _run_model(named[0], str(corpus), protocol=protocol, output=output, command=command)
        corpus = protocol = None  # they apply to the model; --predictions are used as they are
    folders = [name for name in named if name != NO_MODEL and not _is_model(name)]
    made = _read(folders, predictions or [], views=views, corpus=corpus, protocol=protocol, output=output)
    entries = [*(run.entries if run else ()), *made]
    facts, failures = (
        (run.facts, run.failures)
        if run
        else (
            Facts(command=command, sexes=published_sexes(entries), pictures=_pictures(folders)),
            (),
        )
    )
    measured = measure(entries, seed=seed)
    comparisons = compare(measured, by_condition=len(folders) > 1, seed=seed)
    _warn(facts)
    json = format is Form.JSON
    text = (
        as_json(measured, comparisons, facts, failures)
        if json
        else as_table(measured, comparisons, facts, notes=len(named) == 1)
    )
    say(text, nl=False, safe=json)
    if output is not None:
        title = "Evaluation of " + ", ".join(dict.fromkeys(entry.name for entry in entries))
        page = write_measured(measured, comparisons, output, facts=facts, title=title)
        complain(f"report: {page}")
    if work is not None:
        work.unlink(missing_ok=True)
    if failures:
        raise typer.Exit(1)


def _check(
    named: Sequence[str], *, corpus: str | None, protocol: str | None, predictions: Sequence[Path] | None
) -> None:
    from emovox.schema.figure import PROTOCOLS

    known = [*(name for name in PROTOCOLS if name != "training"), TRUST]
    if protocol is not None and protocol not in known:
        expected = ", ".join(known)
        raise typer.BadParameter(f"got '{protocol}', expected one of {expected}", param_hint="--protocol")
    if list(named) == [NO_MODEL] and not predictions:
        raise typer.BadParameter("got neither a model nor --predictions, expected one of them", param_hint="MODEL")
    alone = [name for name in named if name == NO_MODEL or _is_model(name)]
    if alone and len(named) > 1:
        raise typer.BadParameter(
            f"got '{alone[0]}' among several, expected folders that emovox train has made; evaluate a model alone",
            param_hint="RUN",
        )
    if alone and alone != [NO_MODEL]:
        _check_model(alone[0])
    if alone and alone != [NO_MODEL] and corpus is None:
        raise typer.BadParameter(f"got none, expected the corpora to run {alone[0]} on", param_hint="--corpus")


def _check_trust(
    named: Sequence[str], *, corpus: str | None, predictions: Sequence[Path] | None, views: bool | None
) -> None:
    if views is not None:
        raise typer.BadParameter("got --protocol trust, expected another: it has no views", param_hint="--views")
    if predictions or list(named) == [NO_MODEL] or len(named) > 1:
        raise typer.BadParameter(
            "got several, or predictions alone, expected one model, run or module:function", param_hint="MODEL"
        )
    if corpus is None and _is_model(named[0]):
        raise typer.BadParameter(f"got none, expected the corpora to test {named[0]} on", param_hint="--corpus")


def _trust_command(
    name: str, *, corpus: str | None, noise: Path | None, quick: bool, output: Path | None, seed: int
) -> str:
    words = ["emovox", "evaluate", name, "--protocol", TRUST]
    for option, value in (("--corpus", corpus), ("--noise", noise), ("--output", output)):
        words += [option, str(value)] if value is not None else []
    return shlex.join([*words, *(["--quick"] if quick else []), "--seed", str(seed)])


def _check_model(name: str) -> None:
    from emovox.runtime.registry import resolve

    try:
        resolve(name)
    except UnknownModelError as error:
        raise UnknownModelError(f"{error}, or a folder that emovox train has made") from None


def _spare(files: Sequence[Path], output: Path | None) -> None:
    """Check that the report does not go to the folder of its inputs: it would replace them by rounded predictions."""
    if output is not None and any(file.resolve().parent == output.resolve() for file in files):
        raise typer.BadParameter(
            f"got the folder of the predictions, {output}, expected another", param_hint="--output"
        )


def _is_model(model: str) -> bool:
    return model != NO_MODEL and not os.path.isdir(model)  # os.path, since pathlib raises if a name is too long


def _run_model(
    model: str, corpus: str, *, protocol: str | None, output: Path | None, command: str
) -> tuple[ModelRun, Path | None]:
    from emovox.benchmark.end_to_end import latency_of
    from emovox.corpora.load import load_clips
    from emovox.evaluation.model_run import evaluate_model
    from emovox.runtime.predictor import load
    from emovox.runtime.registry import resolve

    predictor = load(model)
    clips = load_clips([name.strip() for name in corpus.split(",")])
    work = None
    if output is not None:
        make_folder(output)
        # The name contains the graph's digest, so that scores of another version of the model are not reused.
        work = output / f".partial-{predictor.card.sha256[:16]}.csv"
    with counting("clips") as progress:
        run = evaluate_model(
            predictor,
            clips,
            protocol=protocol,
            command=command,
            work=work,
            pictures=output is not None,
            progress=progress,
        )
    failed = {failure.file for failure in run.failures}
    usable = [clip.path for clip in clips if clip.path not in failed]
    graph = resolve(model).with_suffix(".onnx") if predictor.card.encoder is None else None  # a head has no front end
    latency = latency_of(predictor, usable, graph)
    return replace(run, facts=replace(run.facts, latency=latency)), work


def _read(
    folders: Sequence[str],
    predictions: Sequence[Path],
    *,
    views: bool | None,
    corpus: str | None,
    protocol: str | None,
    output: Path | None,
) -> list[Entry]:
    from emovox.evaluation.figures.entries import read_entries, run_entries, run_files

    shown = len(folders) < 2 if views is None else views
    files = [run_files(folder, views=shown, corpus=corpus) for folder in folders]
    inputs = [*(file for of_run in files for file in of_run), *predictions]
    _spare(inputs, output)
    if len(folders) < 2:
        return read_entries(inputs, corpus=corpus, protocol=protocol)
    side_by_side = run_entries(folders, views=shown, corpus=corpus, protocol=protocol)
    return [*side_by_side, *read_entries(predictions, corpus=corpus, protocol=protocol)]


def _pictures(folders: Sequence[str]) -> tuple[Picture, ...]:
    """Return the pictures that a training has written into its run folder; of several runs, none."""
    from emovox.evaluation.report.document import Picture

    paths = sorted((Path(folders[0]) / "pictures").glob("tsne-*.png")) if len(folders) == 1 else []
    return tuple(Picture(path.name, path.stem.replace("-", " "), path.read_bytes()) for path in paths)


def _warn(facts: Facts) -> None:
    from emovox.evaluation.report.caveats import training_alert

    if facts.trained_on:
        text = training_alert(facts.trained_on, model=facts.model).text
        say(typer.style(f"WARNING: {printable(text)}", fg="red", bold=True), err=True, safe=True)
    for note in facts.notes:
        complain(f"note: {note}")


def _command(
    named: Sequence[str],
    *,
    corpus: str | None,
    protocol: str | None,
    predictions: Sequence[Path] | None,
    views: bool | None,
    output: Path | None,
    seed: int,
) -> str:
    words = ["emovox", "evaluate", *named]
    for option, value in (("--corpus", corpus), ("--protocol", protocol)):
        words += [option, value] if value is not None else []
    for file in predictions or []:
        words += ["--predictions", str(file)]
    words += ["--views" if views else "--no-views"] if views is not None else []
    words += ["--output", str(output)] if output is not None else []
    return shlex.join([*words, "--seed", str(seed)])
