"""Folds for cross-validation: speaker-independent, except in the speaker-dependent protocol.

A fold has indices into the clips, which also index features, labels and predictions in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import TypeAlias

import msgspec
import numpy as np

from emovox.corpora.manifest import Clip
from emovox.corpora.registry import CORPORA, SPEAKER_CORPORA
from emovox.schema.errors import ProtocolError
from emovox.schema.labels import SEVEN_MAP

PROTOCOLS: Mapping[str, str] = {
    "si": "speaker-independent, one corpus: its published folds, else leave one speaker out, or 6 groups of speakers",
    "si-fusion": "speaker-independent, RAVDESS: the 5 folds most cited for voice and face",
    "joint": "speaker-independent, several corpora in each of 6 runs; TESS is only scored, by run 1",
    "sd": "speaker-dependent: 5 random folds over utterances, stratified by label; inflated, compare only with SD",
    "zero-shot": "train on the corpora of the other languages, test on one corpus, classes that both sides have",
}

MOST_LEFT_OUT = 12
"""Largest number of speakers for leave-one-speaker-out; more speakers are grouped."""

GROUPS = 6
"""Number of groups of speakers, that is of folds, for corpora with more than `MOST_LEFT_OUT` speakers."""

SD_FOLDS = 5
"""Number of random folds of the speaker-dependent protocol."""


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """One division of the clips into training and test.

    Attributes:
        number: from 1; a joint run keeps its number if an earlier run has nothing to test.
        train: indices of the training clips, ascending. Validation speakers come from these (see `hold_out`, or inner
            folds): no choice uses `test`.
        test: indices of the test clips, ascending.
        train_speakers: "corpus/speaker" of the training clips, sorted ("corpus/?" if unknown).
        test_speakers: "corpus/speaker" of the test clips, sorted.
    """

    number: int
    train: tuple[int, ...]
    test: tuple[int, ...]
    train_speakers: tuple[str, ...]
    test_speakers: tuple[str, ...]


def make_folds(
    protocol: str,
    clips: Sequence[Clip],
    *,
    labels: Sequence[str | None] | None = None,
    target: str | None = None,
    seed: int = 0,
) -> tuple[Fold, ...]:
    """Divide clips into training and test clips by a protocol.

    Args:
        protocol: a key of `PROTOCOLS`.
        clips: clips of one corpus ("si", "si-fusion", "sd") or of several.
        labels: label of each clip in the view of the figure; clips with None are not used. By default the labels of
            the clips, and for "zero-shot" the seven labels.
        target: corpus to test on, for "zero-shot" only.
        seed: seed of the shuffle, for "sd" only.

    Returns:
        The folds, by number. Each has training and test clips.

    Raises:
        ProtocolError: the protocol is unknown; clips have no speaker; there are fewer than two speakers; a speaker is
            not in the published folds of the corpus; or no clip is left to train or to test on.

    >>> clips = [Clip(corpus="mine", id=s, path=s, speaker=s, native="joy", label="joy", duration=1, sample_rate=8000)
    ...          for s in "ab"]
    >>> [(fold.number, fold.train, fold.test) for fold in make_folds("si", clips)]
    [(1, (1,), (0,)), (2, (0,), (1,))]
    """
    if protocol not in PROTOCOLS:
        raise ProtocolError(f"no protocol is called '{protocol}', expected one of {', '.join(PROTOCOLS)}")
    if (target is not None) != (protocol == "zero-shot"):
        raise ProtocolError(f"{protocol}: got target {target}, expected one for zero-shot, and for nothing else")
    _check_emotions(clips)
    labels = _default_labels(clips, protocol) if labels is None else labels
    if len(labels) != len(clips):
        raise ProtocolError(f"got {len(labels)} labels for {len(clips)} clips, expected one for each")
    used = [number for number, label in enumerate(labels) if label is not None]
    if not used:
        raise ProtocolError(f"{protocol}: none of the {len(clips)} clips has a label; check the label map and the view")
    if protocol == "zero-shot":
        return (_zero_shot(clips, labels, used, str(target)),)
    if protocol == "sd":
        return _speaker_dependent(clips, labels, used, seed)
    _check_speakers(clips, used, protocol)
    if protocol == "joint":
        return _joint(clips, used)
    return _one_corpus(clips, used, protocol)


def speaker_key(clip: Clip) -> str:
    """Return a name of the speaker that is unique across corpora: "corpus/speaker", or "corpus/?" if unknown."""
    return f"{clip.corpus}/{clip.speaker or '?'}"


def _default_labels(clips: Sequence[Clip], protocol: str) -> list[str | None]:
    if protocol != "zero-shot":
        return [clip.label for clip in clips]
    return [None if clip.label is None else SEVEN_MAP.get(clip.label, clip.label) for clip in clips]


def _check_emotions(clips: Sequence[Clip]) -> None:
    names = sorted({clip.corpus for clip in clips} & set(SPEAKER_CORPORA))
    if names:
        raise ProtocolError(
            f"got {names[0]}, expected a corpus of emotion; its labels are its speakers: pretrain on it"
        )


def _check_speakers(clips: Sequence[Clip], used: Sequence[int], protocol: str) -> None:
    unknown = [clips[n].id for n in used if clips[n].speaker is None]
    if unknown:
        raise ProtocolError(
            f"{protocol}: {len(unknown)} of {len(used)} clips have no speaker ({unknown[0]} is the first), expected "
            "one for each: without speakers, voices of the test may be in training; add them to the table or the "
            "folders, or use the protocol sd, whose figures are inflated"
        )
    speakers = {speaker_key(clips[n]) for n in used}
    if len(speakers) < 2:
        raise ProtocolError(
            f"{protocol}: all clips are of one speaker ({min(speakers)}), expected at least two; record others, or use "
            "the protocol sd, whose figures are inflated"
        )


def _one_corpus(clips: Sequence[Clip], used: Sequence[int], protocol: str) -> tuple[Fold, ...]:
    names = sorted({clips[n].corpus for n in used})
    if protocol == "si-fusion" and names not in (["ravdess"], ["ravdess-video"]):
        raise ProtocolError(
            f"si-fusion: got {', '.join(names)}, expected ravdess or ravdess-video alone; use si or joint"
        )
    fixed = FUSION_FOLDS if protocol == "si-fusion" else SI_FOLDS.get(names[0]) if len(names) == 1 else None
    groups = _named(names[0], fixed) if fixed else _groups(clips, used)
    return _by_speakers(clips, used, groups, protocol)


def _joint(clips: Sequence[Clip], used: Sequence[int]) -> tuple[Fold, ...]:
    groups: list[set[str]] = [set() for _ in range(JOINT_RUNS)]
    for corpus in sorted({clips[n].corpus for n in used} - SCORED_ONLY):
        fixed = JOINT_FOLDS.get(corpus)
        members = [n for n in used if clips[n].corpus == corpus]
        parts = _named(corpus, fixed) if fixed else _groups(clips, members, most=JOINT_RUNS)
        for run, part in zip(groups, parts, strict=False):
            run |= part
    scored = {speaker_key(clips[n]) for n in used if clips[n].corpus in SCORED_ONLY}
    groups[0] |= scored
    return _by_speakers(clips, used, groups, "joint", never_train=scored)


def _named(corpus: str, groups: Groups) -> list[set[str]]:
    return [{f"{corpus}/{speaker}" for speaker in group} for group in groups]


def _groups(clips: Sequence[Clip], used: Sequence[int], *, most: int | None = None) -> list[set[str]]:
    """Return groups of speakers: single speakers up to `MOST_LEFT_OUT` (or `most`), else `GROUPS` balanced groups.

    Balancing adds the speaker with the most clips to the smallest group, in turn.
    """
    sizes: dict[str, int] = {}
    for n in used:
        sizes[speaker_key(clips[n])] = sizes.get(speaker_key(clips[n]), 0) + 1
    if len(sizes) <= (most or MOST_LEFT_OUT):
        return [{speaker} for speaker in sorted(sizes, key=str.lower)]
    groups: list[set[str]] = [set() for _ in range(most or GROUPS)]
    held = [0] * len(groups)
    for speaker in sorted(sizes, key=lambda name: (-sizes[name], name)):
        smallest = held.index(min(held))
        groups[smallest].add(speaker)
        held[smallest] += sizes[speaker]
    return groups


def _by_speakers(
    clips: Sequence[Clip],
    used: Sequence[int],
    groups: Sequence[Set[str]],
    protocol: str,
    *,
    never_train: Set[str] = frozenset(),
) -> tuple[Fold, ...]:
    unknown = sorted({speaker_key(clips[n]) for n in used}.difference(*groups))
    if unknown:
        raise ProtocolError(
            f"{protocol}: {', '.join(unknown)} are in no published fold of their corpus; expected its published "
            "speakers; index it again, or give your own recordings another corpus name"
        )
    folds = []
    for number, group in enumerate(groups, start=1):
        test = [n for n in used if speaker_key(clips[n]) in group]
        train = [n for n in used if speaker_key(clips[n]) not in group | never_train]
        if test:
            folds.append(_fold(number, train, test, clips))
    if not all(fold.train for fold in folds):
        raise ProtocolError(
            f"{protocol}: all speakers fall into one fold ({', '.join(folds[0].test_speakers)}), so nothing is left to "
            "train on; expected clips of more speakers"
        )
    return tuple(folds)


def _fold(number: int, train: Sequence[int], test: Sequence[int], clips: Sequence[Clip]) -> Fold:
    return Fold(
        number=number,
        train=tuple(sorted(train)),
        test=tuple(sorted(test)),
        train_speakers=tuple(sorted({speaker_key(clips[n]) for n in train})),
        test_speakers=tuple(sorted({speaker_key(clips[n]) for n in test})),
    )


def _speaker_dependent(
    clips: Sequence[Clip], labels: Sequence[str | None], used: Sequence[int], seed: int
) -> tuple[Fold, ...]:
    """Return folds stratified by label: shuffled units go to the folds in turn; a unit is clips with equal samples."""
    if len(used) < SD_FOLDS:
        raise ProtocolError(f"sd: got {len(used)} clips, expected at least {SD_FOLDS}, one for each fold")
    rng = np.random.default_rng(seed)
    units: dict[str, dict[str, list[int]]] = {}
    same = _same_samples(clips)
    for n in used:
        units.setdefault(str(labels[n]), {}).setdefault(same(clips[n]), []).append(n)
    tests: list[list[int]] = [[] for _ in range(SD_FOLDS)]
    turn = 0
    for label in sorted(units):
        members = list(units[label].values())
        for chosen in rng.permutation(len(members)):
            tests[turn % SD_FOLDS] += members[chosen]
            turn += 1
    return tuple(
        _fold(number, [n for other in tests if other is not test for n in other], test, clips)
        for number, test in enumerate(tests, start=1)
    )


def _same_samples(clips: Sequence[Clip]) -> Callable[[Clip], str]:
    first: dict[tuple[str, str], str] = {}
    for name in {clip.corpus for clip in clips} & set(CORPORA):
        for ids in CORPORA[name].duplicates:
            first |= {(name, one): min(ids) for one in ids}
    return lambda clip: f"{clip.corpus}/{first.get((clip.corpus, clip.id), clip.id)}"


def _zero_shot(clips: Sequence[Clip], labels: Sequence[str | None], used: Sequence[int], target: str) -> Fold:
    languages = {clips[n].language for n in used if clips[n].corpus == target}
    if not languages:
        names = ", ".join(sorted({clips[n].corpus for n in used}))
        raise ProtocolError(f"zero-shot: no clip is of the corpus {target}, expected one of {names}")
    without = sorted({clips[n].corpus for n in used if clips[n].language is None})
    if without:
        raise ProtocolError(f"zero-shot: clips of {', '.join(without)} have no language, expected one for each")
    test = [n for n in used if clips[n].corpus == target]
    train = [n for n in used if clips[n].language not in languages]
    classes = {labels[n] for n in train} & {labels[n] for n in test}
    if not classes:
        raise ProtocolError(
            f"zero-shot: no clip in a language other than {', '.join(sorted(map(str, languages)))} has a label that "
            f"{target} has, expected other corpora to train on; add them"
        )
    return _fold(1, [n for n in train if labels[n] in classes], [n for n in test if labels[n] in classes], clips)


Groups: TypeAlias = tuple[tuple[str, ...], ...]
"""Groups of speakers, one per fold."""

JOINT_RUNS = 6
"""Number of training runs of the joint protocol."""

RAVDESS_FOLDS: Groups = (
    ("01", "11", "20", "21"),
    ("04", "10", "12", "14"),
    ("08", "09", "19", "23"),
    ("03", "05", "07", "24"),
    ("02", "15", "16", "18"),
    ("06", "13", "17", "22"),
)
"""The six folds of EmoBox (Ma et al. 2024, Interspeech)."""

FUSION_FOLDS: Groups = (
    ("02", "05", "14", "15", "16"),
    ("03", "06", "07", "13", "18"),
    ("10", "11", "12", "19", "20"),
    ("08", "17", "21", "23", "24"),
    ("01", "04", "09", "22"),
)
"""The five folds of RAVDESS most cited for voice and face (Luna-Jiménez et al. 2021, Sensors 21(22))."""

SI_FOLDS: Mapping[str, Groups] = {
    "ravdess": RAVDESS_FOLDS,
    "ravdess-video": RAVDESS_FOLDS,
    "tess": (("YAF",), ("OAF",)),
}
"""Corpora with other folds than one speaker each. TESS has the order: train OAF, test YAF; train YAF, test OAF."""

JOINT_FOLDS: Mapping[str, Groups] = {
    "ravdess": RAVDESS_FOLDS,
    "casia": (("liuchanhg",), ("wangzhe",), ("zhaoquanyin",), ("ZhaoZuoxiang",)),
    "emodb": (("03", "08"), ("09", "10"), ("11", "12"), ("13", "14"), ("15", "16")),
    "emovo": (("f1",), ("f2",), ("f3",), ("m1",), ("m2",), ("m3",)),
    "nemo": (("EB0", "IC0"), ("KD0", "KS0"), ("MK0", "MP0"), ("SM0",), ("TP0",), ("WR0",)),
}
"""Folds of the joint protocol: one run trains on all corpora, and every speaker is in the test exactly once."""

SCORED_ONLY = frozenset({"tess"})
"""Corpora that are never in the training clips of joint folds; run 1 scores all of their clips."""
