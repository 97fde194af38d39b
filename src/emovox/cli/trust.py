"""`emovox evaluate MODEL --protocol trust`: the suite of `emovox.evaluation.trust`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from emovox.cli.console import Form, columns, complain, make_folder, say
from emovox.cli.progress import counting
from emovox.schema.errors import EmovoxError
from emovox.schema.extras import require
from emovox.schema.text import json_document, printable

if TYPE_CHECKING:
    from emovox.corpora.manifest import Clip
    from emovox.evaluation.report.document import Table
    from emovox.evaluation.trust.outcome import TrustResult
    from emovox.evaluation.trust.system import System

TRUST = "trust"
"""The value of --protocol."""


def evaluate_trust(
    name: str,
    *,
    corpus: str | None,
    noise: Path | None,
    strict: bool,
    quick: bool,
    resume: bool,
    output: Path | None,
    form: Form,
    command: str,
    seed: int,
) -> None:
    """Run the suite, and print or write its result; exit with 1 if `strict` and a test fails."""
    require("numba", need="--protocol trust", extra="evaluate")
    from emovox.augment.sources import VARIABLE
    from emovox.evaluation.report.trust import JSON_FILE, write_trust
    from emovox.evaluation.trust.outcome import tally
    from emovox.evaluation.trust.run import SuitePlan, run_suite
    from emovox.training.cache import cache_folder

    if noise is not None and not noise.is_dir():
        raise typer.BadParameter(f"got {noise}, expected a folder of noises", param_hint="--noise")
    if output is not None:
        make_folder(output, file=JSON_FILE)
    named = os.environ.get(VARIABLE)
    work = cache_folder() / "trust"
    system = _system(name, work)
    clips = _clips(name, corpus, system)
    plan = SuitePlan(
        form="quick" if quick else "full",
        seed=seed,
        noise=noise or (Path(named) if named else None),
        work=work,
        resume=resume,
        command=command,
    )
    result = run_suite(system, clips, plan, watch=lambda part: counting(f"of {part}"))
    page = write_trust(result, output) if output is not None else None
    say(json_document(result) if form is Form.JSON else _text(result), nl=False, safe=form is Form.JSON)
    if page is not None:
        complain(f"report: {page}")
    found = tally(result.tests)
    if strict and found.passed < found.testable:
        raise typer.Exit(1)


def _system(name: str, work: Path) -> System:
    from emovox.evaluation.trust.function import from_function, is_function
    from emovox.evaluation.trust.system import from_predictor
    from emovox.runtime.predictor import load

    if os.path.isdir(name):
        require("torch", need="the fold models of a run", extra="train")
        from emovox.export.fold_models import run_system

        return run_system(Path(name), work / "folds")
    return from_function(name) if is_function(name) else from_predictor(load(name))


def _clips(name: str, corpus: str | None, system: System) -> Mapping[str, Sequence[Clip]]:
    """Return the clips of each corpus; a run needs no --corpus, and goes on without recordings."""
    from emovox.corpora.load import load_clips

    found: dict[str, list[Clip]] = {}
    if corpus is not None:
        for clip in load_clips([part.strip() for part in corpus.split(",")]):
            found.setdefault(clip.corpus, []).append(clip)
        return found
    from emovox.export.fold_models import run_corpora

    sources, renamed = run_corpora(Path(name))
    for source in dict.fromkeys((*sources, *system.out_of_fold)):
        try:
            for clip in load_clips([source], name=renamed):
                found.setdefault(clip.corpus, []).append(clip)
        except EmovoxError as error:
            complain(f"note: tests with sound leave out {source}: {error}")
    return {each: found.get(each, []) for each in dict.fromkeys((*system.out_of_fold, *found))}


def _text(result: TrustResult) -> str:
    from emovox.evaluation.report.trust import sentence, tests_table, topic_table
    from emovox.evaluation.trust.outcome import tally

    failing = [test for test in result.tests if test.outcome in ("fail", "error")]
    parts = [f"{printable(result.model)}: {sentence(tally(result.tests))}\n", _columns(topic_table(result))]
    parts += [f"{printable(each)}: {how}\n" for each, how in result.corpora.items()]
    parts += [f"note: {note}\n" for note in result.notes]
    parts += ["what fails\n" + _columns(tests_table(failing))] if failing else []
    return "\n".join(parts)


def _columns(table: Table) -> str:
    return columns([list(table.head), *(list(row) for row in table.rows)])
