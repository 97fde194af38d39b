"""The words of the report of a call, in each language."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

LANGUAGES = ("en", "zh")
"""Languages of the report."""


class CallTexts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The words of one language; a name in braces stands for what the page knows.

    Attributes:
        lang: tag of the language for the page, such as "zh-CN".
        words: headings, sentences and captions.
        customer: why the other party is left out; one paragraph.
        both, mono: warnings that stand in its place.
        labels: names of labels; a label that is not there keeps its own.
        warnings: warnings by code, with {message} for the English one; a code that is not there keeps its message.
        protocols: names of protocols of figures.
        card: texts of cards; one that is not there stays English.
        about: what a score is not, and what to do; one paragraph each.
    """

    lang: str
    words: dict[str, str]
    customer: str
    both: str
    mono: str
    labels: dict[str, str]
    warnings: dict[str, str]
    protocols: dict[str, str]
    card: dict[str, str]
    about: tuple[str, ...]


@cache
def call_texts(language: str) -> CallTexts:
    """Return the words of a language of `LANGUAGES`."""
    return msgspec.toml.decode((files(__package__) / f"{language}.toml").read_bytes(), type=CallTexts)
