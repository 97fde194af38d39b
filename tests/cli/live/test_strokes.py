"""Small pieces of the picture; those with examples are tested by these."""

from __future__ import annotations

from string import ascii_letters

from emovox.cli.live.strokes import initials


def test_every_letter_is_given_before_a_question_mark() -> None:
    given = list(initials([chr(0x4E00 + number) for number in range(53)]).values())  # wide, so that none is its own
    assert sorted(given[:52]) == sorted(ascii_letters)
    assert given[52] == "?"
