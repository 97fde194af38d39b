"""The list of tests with their limits: data alone, written before any model was tested; the other modules measure.

A `Check` stands for several tests: one for each corpus, each label of a corpus, each condition or each kind of sound.
docs/trust.md says what each topic means.

Sources of the limits:
    ser-tests: Derington et al., "Testing speech emotion recognition machine learning models", arXiv 2312.06270.
    RobuSER: its six corruptions at three levels; the limits are ours.
    ours: set for this project beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Topic = Literal[
    "correctness",
    "distribution",
    "speakers",
    "fairness",
    "robustness",
    "calibration",
    "selective",
    "rejection",
    "adaptation",
]
"""What a test asks about; `TOPICS` has the questions."""

TOPICS: dict[Topic, str] = {
    "correctness": "Is the label right?",
    "distribution": "Are the shares of the labels right?",
    "speakers": "Are the shares right for each speaker, and speakers in the right order?",
    "fairness": "Is it as good for women as for men, for low voices as for high ones, in all languages?",
    "robustness": "Does the label stay if the recording changes?",
    "calibration": "Is a score of 80 % right in 80 % of the cases?",
    "selective": "Does the model know when it is wrong?",
    "rejection": "Do sounds that are not speech stay without a label?",
    "adaptation": "Does adaptation to a voice help, and never harm?",
}
"""Topic → its question."""

Per = Literal["corpus", "label", "all", "all labels", "condition", "corruption", "sound"]
"""What a check has one test for: each corpus; each label of each corpus; all corpora together, as one test or for each
label; each condition, each corruption or each kind of sound, over all corpora."""

SER, ROBUSER, OURS = "ser-tests", "RobuSER", "ours"


@dataclass(frozen=True)
class Check:
    """One row of the list.

    Attributes:
        topic: the topic of its tests.
        name: of the value; `<topic>.<name>` is the first part of the tests' ids.
        words: the value in words, for tables.
        limit: bound of the value.
        at_least: whether the value must reach the limit; otherwise it must not exceed it.
        per: what there is a test for.
        source: where the limit comes from.
        over: names of the conditions, corruptions or sounds, if `per` is one of these.
    """

    topic: Topic
    name: str
    words: str
    limit: float
    at_least: bool
    per: Per
    source: str = SER
    over: tuple[str, ...] = ()


FEWEST_CLIPS = 20
"""Clips of a label below which a test says nothing; for fairness, clips or answers in the smallest group."""

FEWEST_SPEAKERS = 6
"""Speakers below which their order, or the worst of them, says nothing."""

FEWEST_IN_GROUP = 3
"""Speakers of a group (women, low voices) below which fairness is not tested."""

ENOUGH_IN_GROUP = 10
"""Speakers of every group from which the published limits of fairness hold; with fewer, the limit is at least what
`SIMULATED_SHARE` of simulated models without any bias stay below."""

SIMULATED_SHARE, SIMULATED_MODELS = 0.95, 1000
"""Share of simulated models that must stay below a simulated limit, and their number."""

RECALL, SPEAKER_SPREAD, LABEL_SPREAD = 0.7, 0.1, 0.2
"""Mean recall of a simulated model; standard deviation of a speaker's mean recall, and of a label's recall around it.

They are medians over the published out-of-fold predictions of svm, mobile, hybrid and accurate on four corpora.
"""

COVERAGE = 0.9
"""Probability with which a conformal set of labels holds the true one."""

FEWEST_CALIBRATING = 19
"""Other speakers that conformal sets need: below 9 no finite set covers 90 %, and below 19 they are far too wide."""

SLIGHT = (
    *(f"tone-{snr}" for snr in (50, 45, 40)),
    *(f"white-{snr}" for snr in (45, 40, 35)),
    *(f"pad-{place}-{n}" for place in ("before", "after") for n in (100, 500, 1000)),
    *(f"crop-{place}-{n}" for place in ("before", "after") for n in (100, 500, 1000)),
    *(f"clip-{percent}" for percent in (0.1, 0.2, 0.3)),
    *("gain-down-2", "gain-down-1", "gain-up-1", "gain-up-2"),
    *(f"highpass-{hz}" for hz in (50, 100, 150)),
    *(f"lowpass-{hz}" for hz in (7500, 7000, 6500)),
)
"""Small changes that people hardly hear."""

KINDS = ("white", "pink", "machine", "water", "wind", "noise", "babble", "music")
"""Kinds of background: two colours, three kinds of recordings, recordings of all kinds, 4 to 7 voices, music."""

FAINT = tuple(f"{kind}-20" for kind in KINDS)
LOUD = tuple(f"{kind}-10" for kind in KINDS)
BURSTS = ("cough-10", "sneeze-10")
ROOMS = ("room-measured", "room-short", "room-medium", "room-long")
FILTERS = ("tilt-up", "tilt-down")
LINES = ("phone", "phone-band", "phone-low")
FILES = ("narrow", "opus", "mp3-32")
LEVELS = ("gain-down-12", "gain-up-6", "highpass-300")

CORRUPTIONS: dict[str, tuple[str, ...]] = {
    "background": ("noise-20", "noise-10", "noise-0"),
    "gaussian": ("white-30", "white-20", "white-10"),
    "gain": ("fade-20", "fade-30", "fade-40"),
    "clipping": ("clip-20", "clip-40", "clip-60"),
    "room": ("room-short", "room-medium", "room-long"),
    "compression": ("mp3-32", "mp3-16", "mp3-8"),
}
"""RobuSER's corruptions, each at three levels."""

NOT_SPEECH = (
    *("silence", "room-tone", "white", "pink", "tones", "notes", "music"),
    *("machine", "alarm", "traffic", "animal", "water", "wind", "bell"),
    *("dog", "rooster", "rain", "sea", "clock", "helicopter", "chainsaw", "fire"),
)
"""Sounds without a voice. Crowds, crying, laughter, coughs and sneezes are not tested: they are voices, or close."""

MIXES = ("all", "neutral-70", "one", "worst")
"""Moods of the clips for adaptation: as drawn, 70 % neutral, one mood (mean over moods), the worst single mood."""

SUITE: tuple[Check, ...] = (
    Check("correctness", "uar", "UAR", 0.5, True, "corpus"),
    Check("correctness", "recall", "recall", 0.5, True, "label"),
    Check("correctness", "precision", "precision", 0.5, True, "label"),
    Check("distribution", "share", "share of the answers, distance from the share of the clips", 0.15, False, "label"),
    Check("speakers", "share", "shares of the labels per speaker, mean error", 0.1, False, "corpus"),
    Check("speakers", "ranking", "speakers by share of a label, rank correlation with the truth", 0.7, True, "corpus"),
    Check("fairness", "sex-uar", "UAR, difference of women and men", 0.075, False, "corpus"),
    Check("fairness", "sex-recall", "recall, difference of women and men", 0.175, False, "label"),
    Check("fairness", "sex-precision", "precision, difference of women and men", 0.075, False, "label"),
    Check("fairness", "pitch-uar", "UAR, largest difference of low, middle and high voices", 0.075, False, "corpus"),
    Check("fairness", "pitch-recall", "recall, the same difference", 0.225, False, "label"),
    Check("fairness", "pitch-precision", "precision, the same difference", 0.1, False, "label"),
    Check("fairness", "language-share", "bias of a label's share, most unlike language", 0.1, False, "all labels"),
    Check("fairness", "accent-share", "bias of a label's share, most unlike accent", 0.225, False, "all labels"),
    Check("robustness", "unchanged", "unchanged labels", 0.95, True, "condition", SER, SLIGHT),
    Check("robustness", "unchanged", "unchanged labels", 0.9, True, "condition", SER, (*FAINT, *BURSTS)),
    Check("robustness", "unchanged", "unchanged labels", 0.8, True, "condition", SER, (*ROOMS[:2], *FILTERS)),
    Check("robustness", "unchanged", "unchanged labels", 0.5, True, "condition", SER, LINES),
    Check("robustness", "unchanged", "unchanged labels", 0.9, True, "condition", OURS, (*FILES, *LEVELS[:2])),
    Check("robustness", "unchanged", "unchanged labels", 0.8, True, "condition", OURS, (*LOUD, *LEVELS[2:])),
    Check("robustness", "uar-change", "change of UAR", -0.05, True, "condition", SER, (*FAINT, *BURSTS)),
    Check("robustness", "uar-change", "change of UAR", -0.02, True, "condition", SER, FILTERS),
    Check("robustness", "uar-change", "change of UAR", -0.1, True, "condition", OURS, (*LOUD, *ROOMS[:2])),
    Check("robustness", "kept", "UAR above chance that is kept", 0.75, True, "corruption", ROBUSER, tuple(CORRUPTIONS)),
    Check("calibration", "ece", "expected calibration error", 0.1, False, "corpus", OURS),
    Check("calibration", "ece-mean", "expected calibration error, mean over corpora", 0.05, False, "all", OURS),
    Check("calibration", "speaker", "mean confidence against accuracy, worst speaker", 0.2, False, "corpus", OURS),
    Check("selective", "risk", "errors among the surest 80 %, against errors among all", 0.8, False, "corpus", OURS),
    Check("selective", "aurc", "area under risk and coverage, random confidence = 1", 0.65, False, "corpus", OURS),
    Check("selective", "coverage", "conformal sets of 90 %: mean coverage of speakers", 0.87, True, "corpus", OURS),
    Check("selective", "coverage-mean", "the same over all speakers, distance from 90 %", 0.03, False, "all", OURS),
    Check("selective", "worst", "conformal sets: worst speaker, or 10th percentile", 0.76, True, "corpus", OURS),
    Check("selective", "size", "conformal sets: labels in a set", 2.0, False, "corpus", OURS),
    Check("rejection", "silent", "time without a label", 0.95, True, "sound", OURS, NOT_SPEECH),
    Check("rejection", "calm", "synthetic voice: neutral or no label", 0.8, True, "sound", OURS, ("espeak",)),
    Check("rejection", "lost", "clips of speech without an answer", 0.005, False, "corpus", OURS),
    Check("adaptation", "all", "change of UAR, clips of all moods", 0.0, True, "corpus", OURS),
    Check("adaptation", "neutral-70", "change of UAR, 70 % of the clips neutral", 0.0, True, "corpus", OURS),
    Check("adaptation", "one", "change of UAR, clips of one mood", -0.02, True, "corpus", OURS),
    Check("adaptation", "worst", "change of UAR, clips of the worst single mood", -0.05, True, "corpus", OURS),
)  # fmt: skip
"""All checks, in the order of every table."""

UNHEARD_ECE = 0.15
"""Limit of the expected calibration error on a corpus that no fold learnt from; known ones have that of the list."""

QUICK = (
    "white-20", "noise-20", "babble-20", "room-short", "phone-band", "mp3-32", "highpass-150", "tilt-up", "tilt-down",
    "gain-down-12", "clip-0.3", "crop-before-1000", "pad-before-1000", "white-40",
)  # fmt: skip
"""Conditions of the quick form, which leaves out RobuSER's corruptions."""


def conditions_of(checks: Sequence[Check]) -> tuple[str, ...]:
    """Return all conditions that checks need, each once, in order.

    >>> conditions_of([check for check in SUITE if check.name == "uar-change"])[:2]
    ('white-20', 'pink-20')
    """
    named = [name for check in checks if check.per == "condition" for name in check.over]
    levels = [
        level for check in checks if check.per == "corruption" for name in check.over for level in CORRUPTIONS[name]
    ]
    return tuple(dict.fromkeys([*named, *levels]))


def quick_suite() -> tuple[Check, ...]:
    """Return the checks of the quick form: the conditions of `QUICK` alone, no corruptions, the rest as in full."""
    kept = []
    for check in SUITE:
        if check.per == "condition":
            over = tuple(name for name in check.over if name in QUICK)
            kept += [Check(**{**vars(check), "over": over})] if over else []
        elif check.per != "corruption":
            kept.append(check)
    return tuple(kept)
