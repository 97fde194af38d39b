"""Adaptation: a voice's unlabelled clips, drawn by the adaptation protocol, against no adaptation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from emovox.adaptation.estimator import Adaptation, adapted_scores
from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.corpora.manifest import Clip
from emovox.evaluation.adaptation.draws import draw_sets, set_uar
from emovox.evaluation.figures.bootstrap import Interval
from emovox.evaluation.trust.draws import mean_interval
from emovox.evaluation.trust.material import CorpusUnderTest, Material, label_of
from emovox.evaluation.trust.outcome import TrustTest, Where, failed, judged, not_testable
from emovox.evaluation.trust.sample import sample_clips
from emovox.evaluation.trust.suite import Check
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.schema.errors import AudioError, EmovoxError, ModelError
from emovox.schema.labels import NEUTRAL
from emovox.schema.progress import Progress, tracked

SIZES, ROUNDS = (5, 10, 20), 3
"""Numbers of clips for adaptation, and draws of each."""


class VoiceGain(NamedTuple):
    """The change of UAR by one set of clips: speaker, mix of moods, the mood of the mix "one", and the change."""

    speaker: str
    mix: str
    mood: int
    value: float


def adaptation_tests(checks: Sequence[Check], material: Material, progress: Progress) -> Iterator[TrustTest]:
    """Yield the tests of adaptation."""
    why = _why_not(material)
    for number, corpus in enumerate(material.corpora):
        if why or corpus.why or corpus.predictions is None or not corpus.clips:
            for check in checks:
                reason = why or "there are no recordings of the corpus"
                refused = bool(corpus.why) or corpus.predictions is None
                yield corpus.refuse(check) if refused else not_testable(check, Where(corpus.name), reason)
            continue
        try:
            gains = list(_gains(corpus, material, progress))
        except EmovoxError as error:
            yield from (failed(check, Where(corpus.name), error) for check in checks)
            continue
        yield from (_test(check, corpus, gains, material.rng(11, number)) for check in checks)


def _why_not(material: Material) -> str:
    """Return why the system cannot be adapted; "" if it can."""
    if not material.system.predictors:
        return "the system cannot adapt to a voice"
    if NEUTRAL not in material.system.labels:
        return f"the system has no label {NEUTRAL}"
    try:
        for predictor in material.system.predictors.values():
            predictor.model.adaptation  # noqa: B018  # raises an error if there is none
    except ModelError as error:
        return str(error)
    return ""


def _gains(corpus: CorpusUnderTest, material: Material, progress: Progress) -> Iterator[VoiceGain]:
    """Yield the gain of each set of each speaker."""
    system = material.system
    speakers: dict[str, list[Clip]] = {}
    for clip in corpus.clips:
        if clip.speaker and label_of(clip, system.labels) is not None:
            speakers.setdefault(clip.speaker, []).append(clip)
    chosen = {name: sample_clips(clips, material.sizes.adapted, seed=material.seed) for name, clips in speakers.items()}
    for name, clips in tracked(chosen.items(), progress, total=len(chosen)):
        yield from _of_speaker(name, clips, system.predictors[system.fold_of(clips[0])], material)


def _of_speaker(name: str, clips: Sequence[Clip], predictor: Predictor, material: Material) -> Iterator[VoiceGain]:
    pairs = [(clip_statistics(predictor, clip), label_of(clip, predictor.labels)) for clip in clips]
    known = [(row, predictor.labels.index(label)) for row, label in pairs if row is not None and label is not None]
    if len({label for _, label in known}) < 2:
        return
    statistics, labels = np.stack([row for row, _ in known]), [label for _, label in known]
    model: Model = predictor.model
    plain, adaptation = model.scores(statistics), model.adaptation
    for number in range(ROUNDS):
        rng, neutral = material.rng(12, number), predictor.labels.index(NEUTRAL)
        for drawn in draw_sets(labels, neutral=neutral, rng=rng, sizes=SIZES):
            adapted = _adapted(model, adaptation, statistics, drawn.clips)
            change = set_uar(adapted, labels, drawn.clips) - set_uar(plain, labels, drawn.clips)
            yield VoiceGain(name, drawn.mix, drawn.mood, change)


def _adapted(
    model: Model, adaptation: Adaptation, statistics: Samples, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> Samples:
    voice = adaptation.measure(model, statistics[rows])
    return adapted_scores(model, statistics, adaptation.mixture(model, voice))


def clip_statistics(predictor: Predictor, clip: Clip) -> Samples | None:
    """Return the statistics [p] of a clip, the mean over its tiles by their length; None without speech."""
    card = predictor.card
    try:
        audio, _ = load_audio(clip.path, sample_rate=card.sample_rate)
    except AudioError:
        return None
    config = SegmenterConfig(sample_rate=card.sample_rate, window=card.window, shortest=card.shortest)
    tiles = cut_tiles([audio[0]], config)
    if not tiles:
        return None
    rows = np.concatenate([predictor.model.run(tile.samples[None]).statistics for tile in tiles])
    return np.average(rows, axis=0, weights=[tile.end - tile.start for tile in tiles]).astype(np.float32)


def _test(check: Check, corpus: CorpusUnderTest, gains: Sequence[VoiceGain], rng: np.random.Generator) -> TrustTest:
    where = Where(corpus.name)
    mix = "one" if check.name == "worst" else check.name
    found = [gain for gain in gains if gain.mix == mix]
    if not found:
        return not_testable(check, where, "no speaker has enough clips of these moods")
    moods = sorted({gain.mood for gain in found}) if check.name == "worst" else [None]
    by_mood = [_by_speaker([gain for gain in found if mood is None or gain.mood == mood]) for mood in moods]
    worst = min(by_mood, key=lambda values: float(np.mean(list(values.values()))))
    values = np.array(list(worst.values()))
    interval = mean_interval(values, rng) if len(values) > 1 else Interval(float("nan"), float("nan"))
    return judged(check, where, float(values.mean()), n=len(found), interval=interval, parts=worst)


def _by_speaker(gains: Sequence[VoiceGain]) -> dict[str, float]:
    """Return the mean gain of each speaker."""
    names = sorted({gain.speaker for gain in gains})
    return {name: float(np.mean([gain.value for gain in gains if gain.speaker == name])) for name in names}
