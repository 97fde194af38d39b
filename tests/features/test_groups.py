from __future__ import annotations

import re
from pathlib import Path

import pytest

from emovox.features.functionals import functional_names
from emovox.features.groups import GROUPS, group_columns
from emovox.schema.errors import ConfigError

SIZES = {
    "mfcc": 13 * 8,
    "delta": 2 * 13 * 7,
    "f0": 15 + 3,
    "energy": 8 + 7,
    "spectral": 3 * 8 + 3 * 7 + 7,
    "rhythm": 4,
    "mfcc_high": 7 * 8 + 2 * 7 * 7,
    "modulation": 80,
}
EXAMPLES = {
    "mfcc_12_slope": "mfcc",
    "mfcc_13_mean": "mfcc_high",
    "mfcc_1_delta_mean": "delta",
    "mfcc_19_delta2_p5": "mfcc_high",
    "pitch_delta_std": "f0",
    "voiced_share": "f0",
    "level_delta_p95": "energy",
    "flux_mean": "spectral",
    "zcr_slope": "spectral",
    "centroid_delta_std": "spectral",
    "rolloff_p50": "spectral",
    "pause_length": "rhythm",
    "peak_rate": "rhythm",
    "modulation_15_16_32hz": "modulation",
}


def test_every_functional_is_in_exactly_one_group() -> None:
    found = sorted(index for members in GROUPS.values() for index in members)
    assert found == list(range(len(functional_names())))
    assert {name: len(members) for name, members in GROUPS.items()} == SIZES


@pytest.mark.parametrize(("name", "group"), EXAMPLES.items())
def test_a_functional_is_in_the_group_of_what_it_measures(name: str, group: str) -> None:
    assert functional_names().index(name) in GROUPS[group]


def test_columns_of_several_groups_are_sorted() -> None:
    columns = group_columns(["rhythm", "f0"])
    assert columns.tolist() == sorted({*GROUPS["rhythm"], *GROUPS["f0"]})
    assert len(group_columns(list(GROUPS))) == len(functional_names())


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ConfigError, match="no group of functionals is called 'loudness', expected some of mfcc, delta"):
        group_columns(["mfcc", "loudness"])


def test_the_documentation_lists_the_groups_with_their_sizes() -> None:
    text = (Path(__file__).parents[2] / "docs" / "features.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \| ", text, flags=re.MULTILINE))
    assert {name: int(size) for name, size in rows.items()} == SIZES
    assert f"One row for each recording with {len(functional_names())} values" in text
