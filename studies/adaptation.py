"""Adaptation from unlabelled clips on corpora that neither model nor estimator has heard.

    python -m studies.adaptation [MODEL] [--corpora ravdess,casia,…] [--draws 3] [--width 1024] [--steps 400]

MODEL is accurate, hybrid or mobile (default: accurate). The statistics of its clips are computed once by the shipped
graph on the path of `predict`, and kept in the cache folder. The head is a new one for each corpus that is left out, so
the corpus is unheard. The estimator learns from the other corpora, each as a head sees it that has not heard it either.

To be quick, heads learn from clip means alone, without changed copies, and statistics are projected to `--width`
random directions. The heads are weaker than the shipped one: read the changes, not the levels.

Prints for each corpus the change of UAR against no adaptation, in points: a set of all moods as they come, 70 %
neutral, one mood (mean and worst over moods), and the worst cell of all. A cell is the mean over speakers and draws for
one mix, mood and size; columns average over 5, 10, 20 and 40 clips. A last table has labelled clips and prototypes.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from emovox.adaptation.estimator import Adaptation, WeightedProfile, adapted_scores
from emovox.adaptation.profile import Profile
from emovox.adaptation.prototypes import measure_labelled
from emovox.adaptation.voice import AdaptedScorer, VoiceSums
from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.corpora.folds import speaker_key
from emovox.corpora.load import load_clips
from emovox.corpora.manifest import Clip
from emovox.evaluation.adaptation.draws import AdaptationSet, draw_sets, set_uar
from emovox.evaluation.report.document import Table, to_markdown
from emovox.models.head import Head, HeadConfig
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve
from emovox.runtime.segmenter import cut_tiles
from emovox.schema.labels import EMOTIONS, SEVEN_MAP
from emovox.training.adaptation import LabelledStatistics, fit_adaptation
from emovox.training.cache import cache_folder, load_arrays, save_arrays
from emovox.training.data.statistics import Standardizer, measure
from emovox.training.objectives import classification_loss

CORPORA = ("ravdess", "casia", "emodb", "nemo", "emovo", "tess")
HALF = frozenset({"emovo", "tess"})
"""Corpora that count half in the training of a head: they have few speakers, or are spoken by few."""

MOST = 40
"""Clips of one mood of a speaker, at most."""

SHOWN = (5, 10, 20, 40)
"""Numbers of clips that the columns average over."""

SMOOTHING, BATCH, RATE = 0.1, 256, 2e-3

LABELLED = {"1 of each": (EMOTIONS, 1), "3 of each": (EMOTIONS, 3)} | {
    f"{size} neutral": (EMOTIONS[:1], size) for size in (1, 3, 5)
}
"""Sets of labelled clips: words → labels, and clips of each."""

METHODS = ("mean removed", "mean × n / (n + 5)", "mixture")
Cells = dict[tuple[str, int, int], dict[str, list[float]]]
"""(mix, mood, size) → speaker → changes of UAR in points."""


def main() -> None:
    """Measure every corpus as an unheard one, and print the tables."""
    options = _options()
    torch.set_num_threads(1)  # more threads than free cores make everything slower
    clips = project(read_clips(options.model, options.corpora), options.width)
    heads = {
        left_out: fit_head(without(clips, left_out), steps=options.steps)
        for size in (1, 2)
        for left_out in itertools.combinations(options.corpora, size)
    }
    rows: dict[str, list[tuple[str, list[float]]]] = {method: [] for method in METHODS}
    curves: dict[int, list[float]] = defaultdict(list)
    labelled: list[tuple[str, list[float]]] = []
    for corpus in options.corpora:
        head, others = heads[(corpus,)], [other for other in options.corpora if other != corpus]
        unheard = {other: heads[_pair(options.corpora, corpus, other)] for other in others}
        estimator = fit_adaptation(without(clips, (corpus,)), head, unheard)
        here = clips.select(clips.corpora == corpus)
        plain, found = judge(estimator, head, here, draws=options.draws)
        labelled.append((f"{corpus} ({plain:.1f})", judge_labelled(estimator, head, here, draws=options.draws)))
        for method, cells in found.items():
            rows[method].append((f"{corpus} ({plain:.1f})", summary(cells)))
        for (mix, _, size), changes in found[METHODS[-1]].items():
            if mix == "all":
                curves[size].append(_mean(changes))
    print(to_markdown(f"Adaptation: {options.model}", [_table(method, rows[method]) for method in METHODS]))
    print(to_markdown("Labelled clips", [_labelled_table(labelled)]))
    print("All moods, mixture:", ", ".join(f"{size}: {np.mean(curves[size]):+.1f}" for size in sorted(curves)))


def read_clips(model: str, corpora: Sequence[str]) -> LabelledStatistics:
    """Return the clips of corpora with one of the seven labels, at most `MOST` of a speaker's clips of a mood."""
    kept = kept_clips(model, corpora)
    return LabelledStatistics(
        statistics=np.stack([row for _, row in kept]),
        labels=np.array([EMOTIONS.index(SEVEN_MAP.get(str(clip.label)) or str(clip.label)) for clip, _ in kept]),
        speakers=np.array([speaker_key(clip) for clip, _ in kept]),
        corpora=np.array([clip.corpus for clip, _ in kept]),
    )


def kept_clips(model: str, corpora: Sequence[str]) -> list[tuple[Clip, Samples]]:
    """Return the same clips, each with its statistics [p]; they are computed once and kept in the cache."""
    graph: list[Model] = []
    kept: list[tuple[Clip, Samples]] = []
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for corpus in corpora:
        clips = load_clips([corpus])
        path = cache_folder() / "adaptation" / f"{model}-{corpus}.npz"
        if not path.is_file():
            graph = graph or [Model.load(resolve(model))]
            rows = np.stack([clip_statistics(graph[0], clip.path) for clip in clips]).astype(np.float16)
            save_arrays(path, statistics=rows, ids=np.array([clip.id for clip in clips]))
        arrays = load_arrays(path)
        by_id = dict(zip(arrays["ids"], arrays["statistics"].astype(np.float32), strict=True))
        for place in np.random.default_rng(0).permutation(len(clips)):
            clip = clips[place]
            key = speaker_key(clip), SEVEN_MAP.get(str(clip.label), clip.label) or ""
            if key[1] in EMOTIONS and np.isfinite(by_id[clip.id]).all() and counts[key] < MOST:
                counts[key] += 1
                kept.append((clip, by_id[clip.id]))
    return kept


def clip_statistics(model: Model, path: str, change: Callable[[Samples], Samples] = lambda samples: samples) -> Samples:
    """Return the mean of the statistics of a clip's tiles after a change, [p]; NaN if there is no speech."""
    audio, _ = load_audio(path)
    rows = [model.run(change(tile.samples)[None]).statistics[0] for tile in cut_tiles([audio[0]])]
    return np.mean(rows, axis=0) if rows else np.full_like(model.default_profile.mean, np.nan)


def project(clips: LabelledStatistics, width: int) -> LabelledStatistics:
    """Return standardised statistics, projected to `width` random orthogonal directions."""
    standard = measure(clips.statistics)(clips.statistics)
    if width < standard.shape[1]:
        drawn = np.random.default_rng(1).standard_normal((standard.shape[1], width)).astype(np.float32)
        standard = standard @ np.linalg.qr(drawn)[0]
    return LabelledStatistics(standard, clips.labels, clips.speakers, clips.corpora)


def without(clips: LabelledStatistics, corpora: Sequence[str]) -> LabelledStatistics:
    """Return the clips of all other corpora."""
    return clips.select(~np.isin(clips.corpora, corpora))


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A head with its training set's mean and scale, as `emovox.adaptation.estimator.StatisticsScorer`."""

    head: Head
    standardize: Standardizer

    @property
    def default_profile(self) -> Profile:
        """Mean and scale of the training set."""
        return Profile(self.standardize.mean, self.standardize.deviation)

    def scores(self, statistics: Samples, profiles: Sequence[Profile | None] = ()) -> Samples:
        """Return probabilities [n, 7] under one profile."""
        profile = next(iter(profiles), None) or self.default_profile
        with torch.inference_mode():
            standard = torch.from_numpy((statistics - profile.mean) / profile.scale)
            found: Samples = torch.softmax(self.head.outputs(standard)["logits"], dim=1).numpy()
        return found


def fit_head(clips: LabelledStatistics, *, steps: int) -> TrainedHead:
    """Train a head on clips twice: standardised by all clips, and by those of their speaker."""
    torch.manual_seed(0)
    standardize = measure(clips.statistics)
    plain, by_speaker = standardize(clips.statistics), np.empty_like(clips.statistics)
    for speaker in np.unique(clips.speakers):
        rows = clips.speakers == speaker
        own = measure(clips.statistics[rows])
        by_speaker[rows] = Standardizer(own.mean, own.deviation + np.float32(0.05) * standardize.deviation)(
            clips.statistics[rows]
        )
    views = torch.from_numpy(np.stack([plain, by_speaker]).astype(np.float32))
    shares, allowed = _shares(clips), _allowed(clips)
    targets = torch.eye(len(EMOTIONS))[torch.from_numpy(clips.labels)]
    head = Head(clips.statistics.shape[1], len(EMOTIONS), HeadConfig(hidden=128)).train()
    optimiser = torch.optim.AdamW(head.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.2)
    view = torch.arange(BATCH) % 2
    for _ in range(steps):
        rows = torch.multinomial(shares, BATCH, replacement=True)
        logits = head.outputs(views[view, rows])["logits"]
        loss = classification_loss(logits, targets[rows], allowed[rows], smoothing=SMOOTHING).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return TrainedHead(head.eval(), standardize)


def judge(
    estimator: Adaptation, head: TrainedHead, clips: LabelledStatistics, *, draws: int
) -> tuple[float, dict[str, Cells]]:
    """Return the mean UAR in % without adaptation over speakers, and the changes by method."""
    rng = np.random.default_rng(0)
    levels: list[float] = []
    found: dict[str, Cells] = {method: defaultdict(lambda: defaultdict(list)) for method in METHODS}
    for speaker in np.unique(clips.speakers):
        voice = clips.select(clips.speakers == speaker)
        labels, plain = list(voice.labels), head.scores(voice.statistics)
        levels.append(set_uar(plain, labels, np.empty(0, np.int64)))
        for _ in range(draws):
            for drawn in draw_sets(labels, neutral=0, rng=rng):
                before = set_uar(plain, labels, drawn.clips)
                for method, mixture in mixtures(estimator, head, voice, drawn).items():
                    after = set_uar(adapted_scores(head, voice.statistics, mixture), labels, drawn.clips)
                    found[method][drawn.mix, drawn.mood, len(drawn.clips)][speaker].append(100 * (after - before))
    return 100 * float(np.mean(levels)), found


def mixtures(
    estimator: Adaptation, head: TrainedHead, voice: LabelledStatistics, drawn: AdaptationSet
) -> Mapping[str, Sequence[WeightedProfile]]:
    """Return the mixture of each method of `METHODS`."""
    rows = voice.statistics[drawn.clips]
    start, mean, n = head.default_profile, rows.mean(axis=0), len(rows)
    shrunk = start.mean + (mean - start.mean) * np.float32(n / (n + 5))
    return {
        METHODS[0]: [WeightedProfile(1.0, Profile(mean, start.scale))],
        METHODS[1]: [WeightedProfile(1.0, Profile(shrunk.astype(np.float32), start.scale))],
        METHODS[2]: estimator.mixture(head, estimator.measure(head, rows)),
    }


def judge_labelled(estimator: Adaptation, head: TrainedHead, clips: LabelledStatistics, *, draws: int) -> list[float]:
    """Return the mean change of UAR in points over speakers, for each set of `LABELLED`."""
    rng, changes = np.random.default_rng(0), []
    for speaker in np.unique(clips.speakers):
        voice = clips.select(clips.speakers == speaker)
        labels, plain = list(voice.labels), head.scores(voice.statistics)
        for _, (names, size) in itertools.product(range(draws), LABELLED.values()):
            places = [rng.permutation(np.flatnonzero(voice.labels == EMOTIONS.index(name))) for name in names]
            drawn = np.concatenate([place[: min(size, len(place) // 2)] for place in places])
            sums = measure_labelled(estimator, head, voice.statistics[drawn], list(voice.labels[drawn]))
            known = VoiceSums(VoiceSums.empty(estimator).unlabelled, sums)
            after = AdaptedScorer(head, estimator, known).scores(voice.statistics)
            changes.append(100 * (set_uar(after, labels, drawn) - set_uar(plain, labels, drawn)))
    return [float(np.mean(changes[place :: len(LABELLED)])) for place in range(len(LABELLED))]


def summary(cells: Cells) -> list[float]:
    """Return all moods, 70 % neutral, one mood (mean), one mood (worst), and the worst cell."""
    shown = {key: _mean(changes) for key, changes in cells.items() if key[2] in SHOWN}
    by_mood: dict[int, list[float]] = defaultdict(list)
    for (mix, mood, _), value in shown.items():
        if mix == "one":
            by_mood[mood].append(value)
    moods = [float(np.mean(values)) for values in by_mood.values()]
    mixed = [float(np.mean([v for (mix, _, _), v in shown.items() if mix == name])) for name in ("all", "neutral-70")]
    return [*mixed, float(np.mean(moods)), min(moods), min(shown.values())]


def _mean(changes: Mapping[str, Sequence[float]]) -> float:
    return float(np.mean([np.mean(values) for values in changes.values()]))


def _table(method: str, rows: Sequence[tuple[str, Sequence[float]]]) -> Table:
    columns = list(zip(*(values for _, values in rows), strict=True))
    combine: list[Callable[..., float]] = [np.mean, np.mean, np.mean, np.mean, min]
    last = ("all", [float(join(column)) for join, column in zip(combine, columns, strict=True)])
    head = (method, "all moods", "70 % neutral", "one mood", "worst mood", "worst cell")
    return Table(head, tuple((name, *(f"{value:+.1f}" for value in values)) for name, values in [*rows, last]))


def _labelled_table(rows: Sequence[tuple[str, Sequence[float]]]) -> Table:
    means = [float(np.mean(column)) for column in zip(*(values for _, values in rows), strict=True)]
    body = tuple((name, *(f"{value:+.1f}" for value in values)) for name, values in [*rows, ("all", means)])
    return Table(("labelled clips", *LABELLED), body)


def _shares(clips: LabelledStatistics) -> torch.Tensor:
    """Return the share of each clip in the draws, [n]: corpora weigh alike but for `HALF`, and moods within them."""
    shares: npt.NDArray[np.float64] = np.zeros(len(clips.labels))
    for corpus in np.unique(clips.corpora):
        for label in np.unique(clips.labels[clips.corpora == corpus]):
            rows = (clips.corpora == corpus) & (clips.labels == label)
            moods = len(np.unique(clips.labels[clips.corpora == corpus]))
            shares[rows] = (0.5 if corpus in HALF else 1.0) / moods / rows.sum()
    return torch.from_numpy(shares)


def _allowed(clips: LabelledStatistics) -> torch.Tensor:
    allowed = np.zeros((len(clips.labels), len(EMOTIONS)), bool)
    for corpus in np.unique(clips.corpora):
        rows = clips.corpora == corpus
        allowed[np.ix_(rows, np.unique(clips.labels[rows]))] = True
    return torch.from_numpy(allowed)


def _pair(order: Sequence[str], one: str, two: str) -> tuple[str, ...]:
    return tuple(corpus for corpus in order if corpus in (one, two))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="accurate")
    parser.add_argument("--corpora", type=lambda text: tuple(text.split(",")), default=CORPORA)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=400)
    return parser.parse_args()


if __name__ == "__main__":
    main()
