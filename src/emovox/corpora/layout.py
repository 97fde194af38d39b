"""The naming rule of a corpus: a regular expression with named groups, and tables for its codes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

import msgspec

from emovox.schema.text import tidy_name

Sex: TypeAlias = Literal["male", "female"]

SEX_LETTERS: Mapping[str, Sex] = {"f": "female", "m": "male"}
"""Letter of the group `sex` → sex."""


class ClipRow(msgspec.Struct, frozen=True, kw_only=True):
    """The data about one recording from its name and the label files, before its header is read.

    `native` is the label in the words of the corpus, None before the label files are read. `conflicts` are sentences
    about contradictions between folder and file name, or between file name and label file. `extra` has the cells of
    further columns of a table.
    """

    id: str
    speaker: str | None = None
    sex: Sex | None = None
    language: str | None = None
    native: str | None = None
    sentence: str | None = None
    conflicts: tuple[str, ...] = ()
    extra: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Tidy the names, see `tidy_fields`."""
        tidy_fields(self, "speaker", "native", "sentence")


def tidy_fields(struct: msgspec.Struct, *names: str) -> None:
    """Put names into one form (see `tidy_name`), so that names that look alike are equal."""
    for name in names:
        if (value := getattr(struct, name)) is not None:
            msgspec.structs.force_setattr(struct, name, tidy_name(value))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The naming rule of a corpus.

    Attributes:
        pattern: regular expression for the end of the path, without suffix, ignoring case. Its groups are `speaker`,
            `emotion` (a code), `sentence`, `sex` (f or m) and others that the templates below use.
        emotions: code in lower case → native label. Empty if a label file has the labels.
        speakers: speaker → sex. If it is empty, any speaker is accepted.
        aliases: misspelt speaker in lower case → speaker.
        folders: folder name in lower case → properties of the files below ("speaker", "native" or "sex").
        identity: template of the id from the groups, `stem`, and `code` (the emotion code in lower case).
        speaker: template of the speaker.
        sentence: template of the sentence.
        language: ISO 639-1 code if the corpus has a single language.
        refine: last change of a row, for rules that templates cannot express.
    """

    pattern: str
    emotions: Mapping[str, str] = field(default_factory=dict)
    speakers: Mapping[str, Sex | None] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    identity: str = "{stem}"
    speaker: str = "{speaker}"
    sentence: str = "{sentence}"
    language: str | None = None
    refine: Callable[[ClipRow], ClipRow] | None = None

    def parse(self, relative: PurePosixPath) -> ClipRow | None:
        """Parse the path of a file.

        Args:
            relative: path below the corpus folder.

        Returns:
            The row, or None if the file is not a clip of this corpus (songs, whole dialogues, unrelated files).

        >>> Layout(pattern=r"(?P<speaker>[ab])_(?P<emotion>x)", emotions={"x": "anger"}).parse(PurePosixPath("a_x.wav"))
        ClipRow(id='a_x', speaker='a', sex=None, language=None, native='anger', sentence=None, conflicts=(), extra={})
        """
        # macOS unpacks accented folder names decomposed (NFD); published archives have them composed (NFC).
        path = PurePosixPath(unicodedata.normalize("NFC", relative.as_posix()))
        match = re.search(rf"(?:^|/)(?:{self.pattern})$", path.with_suffix("").as_posix(), re.IGNORECASE)
        if match is None:
            return None
        groups = {name: text for name, text in match.groupdict().items() if text is not None}
        groups |= {"stem": path.stem, "code": groups.get("emotion", "").lower()}
        speaker = self._canonical(self.speaker.format_map(groups))
        native = self.emotions.get(groups["code"])
        if speaker is None or (self.emotions and native is None):
            return None
        row = self._row(groups | {"speaker": speaker, "emotion": native or ""})
        row = msgspec.structs.replace(row, conflicts=self._conflicts(path, row))
        return self.refine(row) if self.refine else row

    def _row(self, groups: Mapping[str, str]) -> ClipRow:
        speaker = groups["speaker"]
        return ClipRow(
            id=self.identity.format_map(groups),
            speaker=speaker,
            sex=SEX_LETTERS.get(groups.get("sex", "").lower(), self.speakers.get(speaker)),
            language=self.language,
            native=groups["emotion"] or None,
            sentence=self.sentence.format_map(groups) if "sentence" in groups else None,
        )

    def _canonical(self, speaker: str) -> str | None:
        if not self.speakers:
            return speaker
        known = {name.lower(): name for name in self.speakers} | dict(self.aliases)
        return known.get(speaker.lower())

    def _conflicts(self, path: PurePosixPath, row: ClipRow) -> tuple[str, ...]:
        conflicts = []
        for folder in path.parts[:-1]:
            for what, claim in self.folders.get(folder.lower(), {}).items():
                parsed = getattr(row, what)
                if parsed != claim:
                    conflicts.append(f"the folder '{folder}' says {what} {claim}, the file name says {parsed}")
        return tuple(conflicts)
