"""The identity of a published figure: which model, on what, by which protocol, under which condition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from emovox.schema.errors import PredictionsError
from emovox.schema.text import FILE_NAME_RULE, is_file_name

PROTOCOLS: Mapping[str, str] = {
    "si": "speaker-independent",
    "si-fusion": "speaker-independent, 5 fusion folds",
    "joint": "speaker-independent, joint folds",
    "sd": "speaker-dependent (inflated)",
    "unheard": "corpus not in training",
    "zero-shot": "zero-shot: language not in training",
    "training": "trained on these speakers (not a result)",
}
"""How clips are divided into training and test: key → words in tables. See docs/protocols.md."""

CONDITIONS: Mapping[str, str] = {
    "tile": "path of `predict`",
    "whole": "whole clips",
    "narrow": "through 8 kHz",
    "phone": "8 kHz G.711",
    "noise-20": "noise at 20 dB",
    "noise-10": "noise at 10 dB",
    "speaker-norm": "adapted to the speaker (profile: the test clips, all moods alike)",
}
"""How a test clip is changed before it enters the model: key → words in tables. The functions that change the samples
are in `emovox.augment.conditions`."""

OWN, SEVEN = "own", "seven"
"""Label spaces: the corpus's labels unchanged; the seven of the shipped models, with no label masked."""

TILE = "tile"
"""The headline condition: tiles as `predict` cuts them."""

SEPARATOR = "_"
"""Separator of the parts of a file name. Only the corpus may contain it, so a name is parsed from its end."""

_KEY = re.compile(r"[a-z0-9][a-z0-9.-]*")


@dataclass(frozen=True, order=True)
class FigureKey:
    """The identity of a published figure.

    Attributes:
        model: name of the model or of a study's variant; a folder of `results/`.
        corpus: name of the corpus, e.g. "ravdess".
        labels: label space: "own", "seven", or a view of a corpus ("ravdess-7", "ravdess-8").
        protocol: a key of `PROTOCOLS`.
        condition: a key of `CONDITIONS`, or a name that a study defines.

    Raises:
        PredictionsError: the protocol is unknown, or a part is not valid in a file name.

    >>> FigureKey("mobile", "ravdess", "ravdess-8", "joint").stem
    'ravdess_ravdess-8_joint_tile'
    >>> FigureKey.parse("mobile", "my_calls_own_si_whole").corpus
    'my_calls'
    """

    model: str
    corpus: str
    labels: str
    protocol: str
    condition: str = TILE

    def __post_init__(self) -> None:
        """Check the parts that `parse` reads from a file name."""
        if self.protocol not in PROTOCOLS:
            raise PredictionsError(f"protocol is '{self.protocol}', expected one of {', '.join(PROTOCOLS)}")
        if not is_file_name(self.corpus):
            raise PredictionsError(f"corpus is '{self.corpus}', {FILE_NAME_RULE}")
        for name in ("labels", "condition"):
            if not _KEY.fullmatch(getattr(self, name)):
                raise PredictionsError(
                    f"{name} is '{getattr(self, name)}', expected lower-case letters, digits, '.' or '-'"
                )

    @property
    def stem(self) -> str:
        """The file name without its suffix: `<corpus>_<labels>_<protocol>_<condition>`."""
        return SEPARATOR.join((self.clips, self.condition))

    @property
    def clips(self) -> str:
        """The name of the list of clips, for any model and condition: `<corpus>_<labels>_<protocol>`."""
        return SEPARATOR.join((self.corpus, self.labels, self.protocol))

    @property
    def dataset(self) -> str:
        """The corpus, or its label view if it has several: "emodb", "ravdess-8"."""
        return self.corpus if self.labels in (OWN, SEVEN) else self.labels

    @property
    def headline(self) -> bool:
        """Return whether the figure uses the tiles of `predict` and the labels of the corpus."""
        return self.condition == TILE and self.labels != SEVEN

    @property
    def view(self) -> str:
        """The differences from the headline figure in words; "" for the headline itself."""
        seven = ["seven-class view"] if self.labels == SEVEN else []
        changed = [CONDITIONS.get(self.condition, self.condition)] if self.condition != TILE else []
        return ", ".join(seven + changed)

    @property
    def words(self) -> str:
        """Protocol, labels and condition in words, as tables show them."""
        return PROTOCOLS[self.protocol] + (f", {self.view}" if self.view else "")

    @classmethod
    def parse(cls, model: str, stem: str) -> FigureKey:
        """Parse the key from a file name without its suffix.

        Raises:
            PredictionsError: the name does not have the form of `stem`.
        """
        parts = stem.rsplit(SEPARATOR, 3)
        if len(parts) != 4 or not all(parts):
            raise PredictionsError(
                f"'{stem}': not the name of a figure, expected <corpus>_<labels>_<protocol>_<condition>"
            )
        return cls(model, *parts)
