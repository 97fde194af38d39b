"""The suite on systems whose faults are known."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import pytest
import soundfile

from emovox.audio.types import Samples
from emovox.augment import conditions
from emovox.corpora.manifest import Clip
from emovox.evaluation.figures.predictions import Predictions, Row
from emovox.evaluation.report.trust import write_trust
from emovox.evaluation.trust.adaptation import adaptation_tests
from emovox.evaluation.trust.function import from_function
from emovox.evaluation.trust.hearing import Hearing
from emovox.evaluation.trust.material import Material, make_corpora
from emovox.evaluation.trust.outcome import TrustResult, TrustTest, tally
from emovox.evaluation.trust.rejection import rejection_tests
from emovox.evaluation.trust.run import SuitePlan, run_suite
from emovox.evaluation.trust.suite import SUITE
from emovox.evaluation.trust.system import ANY, Hear, System, SystemAnswer, from_folds, from_predictor
from emovox.runtime.predictor import load
from emovox.schema.card import CardCorpus
from emovox.schema.errors import AnswerError, ConfigError
from emovox.schema.progress import no_progress
from emovox.testing import RATE, write_toy
from tests.evaluation.trust.conftest import LABELS, SMALL, made_clip, scores_of

PLAN = SuitePlan(form="quick", sizes=SMALL)


@pytest.fixture(autouse=True)
def no_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither noises nor voices are here, unless a test says so."""
    for name in ("EMOVOX_NOISE", "EMOVOX_CORPORA"):
        monkeypatch.delenv(name, raising=False)
    for read in (conditions._noises, conditions._sounds, conditions._responses):
        read.cache_clear()


def system_of(monkeypatch: pytest.MonkeyPatch, hear: Callable[[Samples, int], Any], **attributes: Any) -> System:
    """Return a function as a system, by the name that a user would type."""

    def function(samples: Samples, rate: int) -> Any:
        return hear(samples, rate)

    for name, value in {"labels": LABELS, **attributes}.items():
        setattr(function, name, value)
    monkeypatch.setitem(sys.modules, "mine", SimpleNamespace(hear=function))
    return from_function("mine:hear")


def found_in(result: TrustResult, start: str) -> list[TrustTest]:
    found = [test for test in result.tests if test.id.startswith(start)]
    assert found, start
    return found


def outcomes(result: TrustResult, start: str) -> set[str]:
    return {test.outcome for test in found_in(result, start)}


def test_a_good_system_passes_and_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, own: Sequence[Clip]
) -> None:
    result = run_suite(system_of(monkeypatch, scores_of, corpora=("other",)), {"own": own}, PLAN)
    assert result.corpora == {"own": "unheard"}
    for topic in (
        "correctness",
        "distribution",
        "speakers",
        "fairness.sex",
        "fairness.pitch-uar",
        "robustness.unchanged.w",
    ):
        assert outcomes(result, topic) == {"pass"}, topic
    (uar,) = found_in(result, "correctness.uar")
    assert (uar.value, uar.n, uar.corpus, uar.limit) == (1.0, 144, "own", 0.5)
    why = {test.id: test.why for test in result.tests if test.outcome == "not testable"}
    assert "set the variable to the folder of noises" in why["robustness.unchanged.noise-20@all"]
    assert "set the variable to the folder of voices" in why["robustness.uar-change.babble-20@all"]
    assert why["rejection.silent.rain@all"] == "no folder of noises: set $EMOVOX_NOISE or give --noise"
    assert why["selective.size@own"].startswith("more than 19 speakers")
    assert why["adaptation.all@own"] == "the system cannot adapt to a voice"
    assert why["fairness.accent-share@all"] == "two accents or more are needed, none is known here"
    assert outcomes(result, "fairness.language-share.low") == {"pass"}
    assert outcomes(result, "rejection.silent.white") == {"fail"}  # it labels everything
    assert result.notes == ()


def test_noises_of_a_folder_are_used(monkeypatch: pytest.MonkeyPatch, own: Sequence[Clip], tmp_path: Path) -> None:
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", 0.1 * np.random.default_rng(number).normal(size=RATE), RATE)
    system = system_of(monkeypatch, scores_of)
    result = run_suite(system, {"own": own}, replace(PLAN, noise=tmp_path))
    assert outcomes(result, "robustness.unchanged.noise-20") == {"pass"}
    seen = run_suite(replace(system, noise=tmp_path), {"own": own}, replace(PLAN, noise=tmp_path))
    (test,) = found_in(seen, "robustness.unchanged.noise-20")
    assert (test.outcome, test.why) == ("not testable", f"seen: training added noises of {tmp_path}")
    assert result.notes == ("mine:hear does not say which corpora it learnt from.",)


def worse_for_women(samples: Samples, rate: int) -> str:
    """Return a label; odd speakers, whose pitch is an odd number of percent higher, are heard wrongly."""
    best = LABELS[int(np.argmax(scores_of(samples, rate)))]
    spectrum = np.abs(np.fft.rfft(samples))
    hertz = float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])
    nearest = min((abs(hertz / f0 - 1 - 0.01 * s), s) for f0 in (110.0, 200.0, 390.0) for s in range(12))[1]
    return "low" if nearest % 2 else best


def test_a_bias_is_found_and_labels_alone_have_no_calibration(
    monkeypatch: pytest.MonkeyPatch, own: Sequence[Clip]
) -> None:
    result = run_suite(system_of(monkeypatch, worse_for_women), {"own": own}, PLAN)
    (gap,) = found_in(result, "fairness.sex-uar")
    assert gap.outcome == "fail"
    assert gap.parts["male"] - gap.parts["female"] == pytest.approx(gap.value)
    assert gap.limit > 0.075  # six speakers of each sex: the limit is simulated
    assert outcomes(result, "fairness.pitch-uar") == {"pass"}
    (error,) = found_in(result, "calibration.ece@")
    assert (error.outcome, error.why) == ("not testable", "the system gives labels without scores")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (ValueError("no bits"), "bad_answer: mine:hear raises ValueError: no bits (144 of 144 recordings)"),
        ([np.nan, 0.5, 0.5], "bad_answer: mine:hear returns NaN or infinity, expected probabilities"),
        ([0.5, 0.5], "bad_answer: mine:hear returns 2 scores, expected 3: low, middle, high"),
        ({"low": 0.4, "loud": 0.6}, "bad_answer: mine:hear scores loud, expected labels of low, middle, high"),
        ("loud", "bad_answer: mine:hear returns 'loud', expected one of low, middle, high"),
        ([0.9, 0.9, 0.9], "bad_answer: mine:hear returns scores with the sum 2.7"),
        ([0.9, object(), 0.9], "bad_answer: mine:hear returns list, expected a label or scores"),
    ],
)
def test_a_system_that_fails_is_an_error_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, own: Sequence[Clip], given: Any, message: str
) -> None:
    def hear(samples: Samples, rate: int) -> Any:
        if isinstance(given, Exception):
            raise given
        return given

    result = run_suite(system_of(monkeypatch, hear), {"own": own}, PLAN)
    assert outcomes(result, "correctness") == {"error"}
    assert found_in(result, "correctness.uar")[0].why.startswith(message)
    assert outcomes(result, "robustness.unchanged.white-20") == {"error"}
    assert tally(result.tests).passed == 0


def test_a_failure_under_one_condition_fails_only_its_tests(
    monkeypatch: pytest.MonkeyPatch, own: Sequence[Clip]
) -> None:
    def hear(samples: Samples, rate: int) -> list[float]:
        if not samples[:100].any():
            raise RuntimeError("zeros")
        return scores_of(samples, rate)

    result = run_suite(system_of(monkeypatch, hear), {"own": own}, PLAN)
    assert outcomes(result, "robustness.unchanged.pad-before-1000") == {"error"}
    assert outcomes(result, "robustness.unchanged.crop-before-1000") == {"pass"}
    assert outcomes(result, "rejection.silent.silence") == {"error"}
    assert outcomes(result, "correctness") == {"pass"}


def test_a_corpus_without_sex_speakers_or_enough_clips(
    monkeypatch: pytest.MonkeyPatch, own: Sequence[Clip], tmp_path: Path
) -> None:
    nobody = [msgspec.structs.replace(clip, corpus="nobody", speaker=None, sex=None) for clip in own]
    three = [made_clip(tmp_path, "three", 0, label, 0) for label in LABELS]
    other = [msgspec.structs.replace(clip, corpus="other", label="bored") for clip in own]
    clips = {"nobody": nobody, "three": three, "other": other}
    plan = replace(PLAN, sizes=replace(SMALL, changed=66))
    result = run_suite(system_of(monkeypatch, scores_of), clips, plan)
    why = {test.id: test.why for test in result.tests if test.outcome == "not testable"}
    assert why["fairness.sex-uar@nobody"] == "the speakers of some clips are unknown"
    assert why["speakers.share@nobody"] == "0 speakers with 10 clips or more, at least 2 are needed"
    assert why["correctness.recall@three"] == "3 clips, at least 20 are needed"
    assert why["correctness.uar@other"] == "the system has the labels low, middle, high, the clips have bored"
    assert "correctness.uar@nobody" not in why
    (kept,) = found_in(result, "robustness.unchanged.white-20")
    assert set(kept.parts) == {"nobody", "three", "other"}  # needs no labels


def test_what_a_model_learnt_from_does_not_count(own: Sequence[Clip], tmp_path: Path) -> None:
    seen = (CardCorpus("own", "CC0-1.0", 12, 144),)
    card = write_toy(tmp_path, labels=LABELS, corpora=seen)
    predictor = load(str(card))
    result = run_suite(from_predictor(predictor), {"own": own}, PLAN)
    assert result.corpora["own"] == "seen: toy learnt from own; only a run of its recipe can be tested on it"
    assert outcomes(result, "correctness") == outcomes(result, "robustness") == {"not testable"}
    assert outcomes(result, "rejection.silent.silence") == {"pass"}


def test_the_folds_of_a_run_hear_only_their_own_speakers(own: Sequence[Clip], tmp_path: Path) -> None:
    card = write_toy(tmp_path, labels=LABELS, corpora=(CardCorpus("own", "CC0-1.0", 12, 144),))
    predictions = _predictions(own)
    asked: list[str] = []
    system = from_folds("run", {"1": load(str(card)), "2": load(str(card))}, {"own": predictions})

    def noting(fold: str) -> Hear:
        """Return the answers of a fold, whose name is noted."""

        def hear(samples: Samples, rate: int) -> SystemAnswer:
            asked.append(fold)
            return system.hear[fold](samples, rate)

        return hear

    result = run_suite(replace(system, hear={fold: noting(fold) for fold in system.hear}), {"own": own[:72:4]}, PLAN)
    assert result.corpora["own"] == "out of fold"
    (uar,) = found_in(result, "correctness.uar")
    assert (uar.n, uar.value) == (144, 1.0)
    assert set(asked) == {ANY, "1"}  # sounds; recordings of the first six speakers, whom fold 1 tests
    assert outcomes(result, "adaptation.all") == {"not testable"}  # none of its labels is neutral


@pytest.mark.parametrize(("heard", "n"), [(72, 72), (0, 144)])
def test_a_corpus_that_no_fold_learnt_from_is_heard(own: Sequence[Clip], tmp_path: Path, heard: int, n: int) -> None:
    """Its predictions on file know nothing of the confidence that unfamiliar recordings lose."""
    model = load(str(write_toy(tmp_path, labels=LABELS, corpora=(CardCorpus("other", "CC0-1.0", 12, 144),))))
    result = run_suite(from_folds("run", {"1": model}, {"own": _predictions(own)}), {"own": own[:heard]}, PLAN)
    assert result.corpora["own"] == "unheard"
    (uar,) = found_in(result, "correctness.uar")
    assert uar.n == n


def test_sounds_are_heard_by_the_fold_that_learnt_from_nothing_like_them(own: Sequence[Clip], tmp_path: Path) -> None:
    folder = tmp_path / "noise" / "nonspeech100"
    folder.mkdir(parents=True)
    for name in ("n20", "n70"):  # a machine, wind
        soundfile.write(folder / f"{name}.wav", 0.1 * np.random.default_rng(0).normal(size=RATE), RATE)
    card = write_toy(tmp_path, labels=LABELS, corpora=(CardCorpus("own", "CC0-1.0", 12, 144),))
    kinds = {"machine": "2", "white": "1", "wind": None}
    predictors = {"1": load(str(card)), "2": load(str(card))}
    system = from_folds("run", predictors, {"own": _predictions(own)}, kinds=kinds)
    asked: list[tuple[str, float]] = []

    def noting(fold: str) -> Hear:
        """Return no answer; the fold and the length of the sound are noted."""

        def hear(samples: Samples, rate: int) -> SystemAnswer:
            asked.append((fold, len(samples) / rate))
            return SystemAnswer(None, None, 0.0)

        return hear

    deaf = replace(system, hear={fold: noting(fold) for fold in system.hear})
    material = Material(deaf, Hearing(deaf, {}, 0, None, {}), (), "quick", SMALL, 0)
    checks = [replace(check, over=tuple(kinds)) for check in SUITE if check.name == "silent"]
    found = {test.what: test for test in rejection_tests(checks, material, tmp_path / "noise", no_progress)}
    assert sorted(asked) == [("1", 5.0), ("2", 1.0)]
    assert [found[kind].outcome for kind in ("machine", "white")] == ["pass", "pass"]
    assert (found["wind"].outcome, found["wind"].why) == (
        "not testable",
        "seen: run learnt from such sounds in all folds",
    )


def test_speech_that_a_fold_refuses_counts_as_lost(own: Sequence[Clip], tmp_path: Path) -> None:
    card = write_toy(tmp_path, labels=LABELS, corpora=(CardCorpus("own", "CC0-1.0", 12, 144),))
    system = from_folds("run", {"1": load(str(card)), "2": load(str(card))}, {"own": _predictions(own)})
    deaf = replace(system, hear=dict.fromkeys(system.hear, lambda *_: SystemAnswer(None, None, 0.0)))
    checks = [check for check in SUITE if check.name == "lost"]

    def lost(tells: bool, clips: Sequence[Clip]) -> TrustTest:
        with mock.patch.object(System, "tells_speech", tells):
            hearing = Hearing(deaf, {}, 0, None, {})
            corpora = make_corpora(deaf, hearing, {"own": clips}, sizes=SMALL, seed=0)
            material = Material(deaf, hearing, corpora, "quick", SMALL, 0)
            return next(rejection_tests(checks, material, None, no_progress))

    assert lost(False, own).value == 0.0  # as in the cross-validation, which found speech in all clips
    assert (lost(True, own).value, lost(True, own).outcome) == (1.0, "fail")
    assert lost(True, ()).why == "there are no recordings, which the output speech needs"


def test_a_published_corpus_needs_no_recordings_for_what_needs_no_sound(tmp_path: Path) -> None:
    """EMO-DB's women and men are known by name."""
    rows = [
        Row("emodb", f"{speaker}{label}{take}", speaker, "1", label, label, [float(label == name) for name in LABELS])
        for speaker in ("03", "08", "09", "10", "11", "12", "13", "14")
        for label in LABELS
        for take in range(8)
    ]
    model = load(str(write_toy(tmp_path, labels=LABELS)))
    system = from_folds("run", {"1": model}, {"emodb": Predictions.from_rows(rows, LABELS)})
    result = run_suite(system, {"emodb": []}, PLAN)
    assert outcomes(result, "fairness.sex") == outcomes(result, "correctness") == {"pass"}
    (pitch,) = found_in(result, "fairness.pitch-uar")
    assert pitch.why == "8 known speakers, at least 9 are needed for three groups"
    assert outcomes(result, "robustness") == {"not testable"}


def test_adaptation_is_tested_on_clips_that_it_did_not_use(own: Sequence[Clip], tmp_path: Path) -> None:
    names = dict(zip(LABELS, ("neutral", "sad", "angry"), strict=True))
    clips = [msgspec.structs.replace(clip, label=names[clip.label or ""]) for clip in own[:72]]
    system = from_predictor(load(str(write_toy(tmp_path, labels=tuple(names.values())))))
    material = _material(system, clips)
    checks = [replace(check, limit=-1.0) for check in SUITE if check.topic == "adaptation"]
    tests = list(adaptation_tests(checks, material, no_progress))
    assert [test.outcome for test in tests] == ["pass", "not testable", "not testable", "not testable"]
    assert tests[0].n == 6 * 3  # sets of five clips of six speakers, three draws
    assert tests[2].why == "no speaker has enough clips of these moods"
    assert set(tests[0].parts) == {f"s{speaker:02d}" for speaker in range(6)}


def _material(system: System, clips: Sequence[Clip]) -> Material:
    hearing = Hearing.opened(system, None, seed=0, folder=None, resume=False)
    corpora = make_corpora(system, hearing, {"own": clips}, sizes=SMALL, seed=0)
    return Material(system, hearing, corpora, "quick", SMALL, 0)


def _predictions(clips: Sequence[Clip]) -> Predictions:
    rows = []
    for clip in clips:
        fold = "1" if str(clip.speaker) < "s06" else "2"
        scores = [float(label == clip.label) for label in LABELS]
        rows.append(Row("own", clip.id, str(clip.speaker), fold, str(clip.label), str(clip.label), scores))
    return Predictions.from_rows(rows, LABELS)


def test_a_killed_run_goes_on_and_one_without_resume_starts_again(
    monkeypatch: pytest.MonkeyPatch, own: Sequence[Clip], tmp_path: Path
) -> None:
    calls = 0

    def hear(samples: Samples, rate: int) -> list[float]:
        nonlocal calls
        calls += 1
        if calls == 200:
            raise KeyboardInterrupt
        return scores_of(samples, rate)

    system, plan = system_of(monkeypatch, hear), replace(PLAN, work=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_suite(system, {"own": own}, plan)
    (store,) = tmp_path.glob("*.jsonl")
    store.write_bytes(store.read_bytes()[:-10])  # the last line was being written
    first = run_suite(system, {"own": own}, replace(plan, resume=True))
    asked = calls
    again = run_suite(system, {"own": own}, replace(plan, resume=True))
    assert calls == asked
    assert again == first
    run_suite(system, {"own": own}, plan)
    assert calls > asked + 200


def test_the_result_is_a_page_a_table_and_json(
    monkeypatch: pytest.MonkeyPatch, own: Sequence[Clip], tmp_path: Path
) -> None:
    result = run_suite(system_of(monkeypatch, scores_of), {"own": own}, replace(PLAN, command="emovox evaluate x"))
    page = write_trust(result, tmp_path / "out")
    assert "May you rely on mine:hear?" in page.read_text(encoding="utf-8")
    text = (tmp_path / "out" / "trust.md").read_text(encoding="utf-8")
    assert "| robustness | Does the label stay if the recording changes? |" in text
    assert "    emovox evaluate x" in text
    data: Mapping[str, Any] = json.loads((tmp_path / "out" / "trust.json").read_text(encoding="utf-8"))
    assert msgspec.convert(data, TrustResult) == result
    assert set(data["tests"][0]) == set(TrustTest.__struct_fields__)


def test_functions_are_loaded_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strangers.py").write_text("def hear(samples, rate):\n    return None\nthing = 3\n", encoding="utf-8")
    system = from_function("strangers:hear")
    assert system.labels[0] == "neutral"
    assert system.hear[""](np.zeros(10, np.float32), 16000).label is None
    with pytest.raises(ConfigError, match="strangers:other: cannot be loaded \\(AttributeError"):
        from_function("strangers:other")
    with pytest.raises(ConfigError, match="strangers:thing: got int, expected a function"):
        from_function("strangers:thing")
    monkeypatch.setitem(sys.modules, "mine", SimpleNamespace(hear=lambda *_: [1.0]))
    with pytest.raises(AnswerError, match="returns 1 scores, expected 7"):
        from_function("mine:hear").hear[""](np.zeros(10, np.float32), 16000)
