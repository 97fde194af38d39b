"""Run the suite on a system."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from emovox.corpora.manifest import Clip
from emovox.evaluation.trust.adaptation import adaptation_tests
from emovox.evaluation.trust.confidence import confidence_tests
from emovox.evaluation.trust.fairness import fairness_tests
from emovox.evaluation.trust.hearing import Hearing
from emovox.evaluation.trust.labelled import labelled_tests
from emovox.evaluation.trust.material import Material, make_corpora
from emovox.evaluation.trust.outcome import TrustResult, TrustTest
from emovox.evaluation.trust.rejection import rejection_tests
from emovox.evaluation.trust.robustness import robustness_tests
from emovox.evaluation.trust.sample import SIZES, Form, Sizes
from emovox.evaluation.trust.suite import SUITE, TOPICS, Check, Topic, quick_suite
from emovox.evaluation.trust.system import System
from emovox.schema.progress import Progress, no_progress

Watch = Callable[[str], AbstractContextManager[Progress]]
"""Returns a context that shows the progress of a part of the work, by its name."""


@dataclass(frozen=True)
class SuitePlan:
    """How the suite is run.

    Attributes:
        form: full or quick.
        seed: of samples, conditions and intervals.
        noise: folder of noises; None: none.
        work: folder that keeps the answers of systems; None keeps none.
        resume: whether to use the answers of an earlier run of the same system.
        command: the command line, for the result.
        sizes: of the samples; None: those of the form.
    """

    form: Form = "full"
    seed: int = 0
    noise: Path | None = None
    work: Path | None = None
    resume: bool = False
    command: str = ""
    sizes: Sizes | None = None


def _unseen(title: str) -> AbstractContextManager[Progress]:  # noqa: ARG001
    return nullcontext(no_progress)


def run_suite(
    system: System, clips: Mapping[str, Sequence[Clip]], plan: SuitePlan, *, watch: Watch = _unseen
) -> TrustResult:
    """Test a system on corpora.

    Args:
        system: the system.
        clips: corpus → its clips with recordings. A corpus with out-of-fold predictions may have none; then only tests
            that need no sound are made.
        plan: how.
        watch: shows progress.

    Raises:
        ConfigError: the answers cannot be kept.
    """
    sizes = plan.sizes or SIZES[plan.form]
    hearing = Hearing.opened(system, plan.noise, seed=plan.seed, folder=plan.work, resume=plan.resume)
    with watch("clips") as progress:
        corpora = make_corpora(system, hearing, clips, sizes=sizes, seed=plan.seed, progress=progress)
    material = Material(system, hearing, corpora, plan.form, sizes, plan.seed)
    suite = quick_suite() if plan.form == "quick" else SUITE
    tests = [test for topic in TOPICS for test in _tests(topic, suite, material, plan, watch)]
    return TrustResult(
        model=system.name,
        digest=system.digest,
        form=plan.form,
        seed=plan.seed,
        corpora={corpus.name: corpus.how or corpus.why for corpus in corpora},
        command=plan.command,
        notes=(*system.notes, *hearing.notes),
        tests=tuple(tests),
    )


def _tests(
    topic: Topic, suite: Sequence[Check], material: Material, plan: SuitePlan, watch: Watch
) -> Iterator[TrustTest]:
    checks = [check for check in suite if check.topic == topic]
    with watch(topic) as progress:
        match topic:
            case "correctness" | "distribution" | "speakers":
                yield from labelled_tests(checks, material)
            case "fairness":
                yield from fairness_tests(checks, material)
            case "robustness":
                yield from robustness_tests(checks, material, progress)
            case "calibration" | "selective":
                yield from confidence_tests(checks, material)
            case "rejection":
                yield from rejection_tests(checks, material, plan.noise, progress)
            case "adaptation":
                yield from adaptation_tests(checks, material, progress)
