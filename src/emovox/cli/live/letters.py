"""Words in letters three rows high, drawn with half blocks: readable from across a table.

Not from pyfiglet: it leaves out letters that a font lacks and says nothing ("émue" becomes "mue"), takes 8 MB on disk
and 10 to 20 ms to import, and `emovox listen` is in the light core.
"""

from __future__ import annotations

ROWS = 3
"""Lines of a large word."""

_GLYPHS = {
    "A": ".#. #.# ### #.# #.#",
    "B": "##. #.# ##. #.# ##.",
    "C": ".## #.. #.. #.. .##",
    "D": "##. #.# #.# #.# ##.",
    "E": "### #.. ##. #.. ###",
    "F": "### #.. ##. #.. #..",
    "G": ".## #.. #.# #.# .##",
    "H": "#.# #.# ### #.# #.#",
    "I": "# # # # #",
    "J": "..# ..# ..# #.# .#.",
    "K": "#.# #.# ##. #.# #.#",
    "L": "#.. #.. #.. #.. ###",
    "M": "#...# ##.## #.#.# #...# #...#",
    "N": "#..# ##.# #.## #..# #..#",
    "O": ".#. #.# #.# #.# .#.",
    "P": "##. #.# ##. #.. #..",
    "Q": ".#. #.# #.# .#. ..#",
    "R": "##. #.# ##. #.# #.#",
    "S": ".## #.. .#. ..# ##.",
    "T": "### .#. .#. .#. .#.",
    "U": "#.# #.# #.# #.# .##",
    "V": "#.# #.# #.# #.# .#.",
    "W": "#...# #...# #.#.# ##.## #...#",
    "X": "#.# #.# .#. #.# #.#",
    "Y": "#.# #.# .#. .#. .#.",
    "Z": "### ..# .#. #.. ###",
    " ": ".. .. .. .. ..",
    "-": "... ... ### ... ...",
}
"""Letter → five lines of dots, from top to bottom."""

_HALVES = {("#", "#"): "█", ("#", "."): "▀", (".", "#"): "▄", (".", "."): " "}


def large(text: str, *, width: int) -> list[str] | None:
    r"""Return a word in large letters.

    Args:
        text: letters, spaces and hyphens; case does not matter.
        width: columns available, >= 1.

    Returns:
        `ROWS` lines of equal width; None if the word is too wide or has another character.

    >>> print(*large("Hi", width=10), sep="\n")
    █ █ █
    █▀█ █
    ▀ ▀ ▀
    """
    glyphs = [_GLYPHS.get(letter) for letter in text.upper()]
    known = [glyph.split() for glyph in glyphs if glyph is not None]
    if len(known) < len(glyphs):
        return None
    dots = [".".join(glyph[row] for glyph in known) for row in range(5)]
    dots.append("." * len(dots[0]))
    lines = ["".join(_HALVES[pair] for pair in zip(dots[row], dots[row + 1], strict=True)) for row in (0, 2, 4)]
    return lines if len(lines[0]) <= width else None
