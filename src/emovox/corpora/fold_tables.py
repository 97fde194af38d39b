"""The published folds: test speakers of each fold, by corpus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Groups: TypeAlias = tuple[tuple[str, ...], ...]

JOINT_RUNS = 6

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
"""RAVDESS, five folds, the most cited ones for voice and face (Luna-Jiménez et al. 2021, Sensors 21(22))."""

SI_FOLDS: Mapping[str, Groups] = {"ravdess": RAVDESS_FOLDS, "tess": (("YAF",), ("OAF",))}
"""Corpora whose folds are not simply one speaker each; TESS in the order OAF → YAF, YAF → OAF."""

JOINT_FOLDS: Mapping[str, Groups] = {
    "ravdess": RAVDESS_FOLDS,
    "casia": (("liuchanhg",), ("wangzhe",), ("zhaoquanyin",), ("ZhaoZuoxiang",)),
    "emodb": (("03", "08"), ("09", "10"), ("11", "12"), ("13", "14"), ("15", "16")),
    "nemo": (("EB0", "IC0"), ("KD0", "KS0"), ("MK0", "MP0"), ("SM0",), ("TP0",), ("WR0",)),
}
"""One training run serves all corpora; every speaker is left out exactly once."""

SCORED_ONLY = frozenset({"tess"})
"""Corpora that never train in joint folds; run 1 scores all of them."""
