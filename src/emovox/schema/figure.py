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
    **{f"noise-{snr}": f"noise at {snr} dB" for snr in (20, 10, 0)},
    **{f"white-{snr}": f"white noise at {snr} dB" for snr in (45, 40, 35, 30, 20, 10)},
    **{
        f"{kind}-{snr}": f"{words} at {snr} dB"
        for kind, words in (
            ("pink", "pink noise"), ("machine", "machines"), ("water", "water"), ("wind", "wind"),
            ("babble", "4 to 7 voices"), ("music", "music"),
        )
        for snr in (20, 10)
    },
    "cough-10": "coughs at 10 dB",
    "sneeze-10": "sneezes at 10 dB",
    "room-measured": "measured room",
    "room-short": "room, decay 0.15 to 0.5 s",
    "room-medium": "room, decay 0.5 to 1 s",
    "room-long": "room, decay 1 to 1.5 s",
    "phone-band": "telephone, 300 to 3400 Hz, G.711",
    "phone-low": "bad mobile line, GSM, compressed, pink noise",
    **{f"mp3-{kbits}": f"MP3, {kbits} kbit/s" for kbits in (32, 16, 8)},
    "opus": "Opus, 16 kbit/s",
    **{f"gain-up-{db}": f"{db} dB louder" for db in (1, 2, 6)},
    **{f"gain-down-{db}": f"{db} dB quieter" for db in (1, 2, 12)},
    **{f"fade-{low}": f"level moving within -{low} and {high} dB" for low, high in ((20, 0), (30, -10), (40, -20))},
    **{f"clip-{percent}": f"{percent} % of the samples clipped" for percent in (0.1, 0.2, 0.3, 20, 40, 60)},
    **{f"highpass-{hertz}": f"without less than {hertz} Hz" for hertz in (50, 100, 150, 300)},
    **{f"lowpass-{hertz}": f"without more than {hertz} Hz" for hertz in (7500, 7000, 6500)},
    "tilt-up": "brighter by 3 dB an octave",
    "tilt-down": "duller by 3 dB an octave",
    **{f"tone-{snr}": f"tone at {snr} dB" for snr in (50, 45, 40)},
    **{f"pad-{place}-{n}": f"{n} zeros {place}" for place in ("before", "after") for n in (100, 500, 1000)},
    **{f"crop-before-{n}": f"first {n} samples cut off" for n in (100, 500, 1000)},
    **{f"crop-after-{n}": f"last {n} samples cut off" for n in (100, 500, 1000)},
    "speaker-norm": "adapted to the speaker (profile: the test clips, all moods alike)",
}  # fmt: skip
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
