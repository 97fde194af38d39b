"""Groups of functionals by what they measure: the rows of the table in the ablation study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from emovox.features.functionals import functional_names
from emovox.schema.errors import ConfigError

GUIDE_MFCC = 13
"""Number of MFCC in the reference guide; the higher ones are a separate group."""


def _group_of(name: str) -> str:
    track, _, rest = name.partition("_")
    if track == "mfcc":
        number, moving = int(rest.split("_")[0]), "delta" in rest
        if number >= GUIDE_MFCC:
            return "mfcc_high"
        return "delta" if moving else "mfcc"
    if track in ("pitch", "voiced"):
        return "f0"
    if track == "level":
        return "energy"
    return {"pause": "rhythm", "peak": "rhythm", "modulation": "modulation"}.get(track, "spectral")


def _collect() -> dict[str, tuple[int, ...]]:
    groups: dict[str, list[int]] = {
        name: [] for name in ("mfcc", "delta", "f0", "energy", "spectral", "rhythm", "mfcc_high", "modulation")
    }
    for index, name in enumerate(functional_names()):
        groups[_group_of(name)].append(index)
    return {name: tuple(members) for name, members in groups.items()}


GROUPS: Mapping[str, tuple[int, ...]] = _collect()
"""Group → indices into `functional_names()`. In order: MFCC 0-12; their Δ and ΔΔ; F0 and voicing; level; zero
crossings, centroid, roll-off and flux; pauses and peak rate; MFCC 13-19 with Δ and ΔΔ; modulation energy."""


def group_columns(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the sorted indices of all functionals of some groups, shape [k], int64.

    Args:
        names: keys of `GROUPS`.

    Raises:
        ConfigError: a name is not a group.

    >>> len(group_columns(["mfcc"]))
    104
    """
    for name in names:
        if name not in GROUPS:
            raise ConfigError(f"no group of functionals is called '{name}', expected some of {', '.join(GROUPS)}")
    return np.array(sorted(index for name in names for index in GROUPS[name]), dtype=np.int64)
