"""Search in Chinese by pairs of characters: Sphinx's own needs a dictionary of 19 MB, and finds only its words."""

from __future__ import annotations

import re

from sphinx.search import SearchLanguage

_WORD = re.compile(r"[\u3400-\u9fff]+|[^\W\u3400-\u9fff]+")


class PairSearch(SearchLanguage):
    """Splits Chinese into overlapping pairs of characters, in the index and in what a reader types."""

    lang = "zh"
    language_name = "Chinese"
    js_splitter_code = """
function splitQuery(query) {
  return (query.match(/[\\u3400-\\u9fff]+|[^\\s\\p{P}\\u3400-\\u9fff]+/gu) ?? []).flatMap((word) =>
    /[\\u3400-\\u9fff]/.test(word) && word.length > 2
      ? Array.from({ length: word.length - 1 }, (_, first) => word.slice(first, first + 2))
      : [word]);
}
"""

    def split(self, input: str) -> list[str]:
        """Return the words and pairs of a text.

        >>> PairSearch({}).split("情绪识别 by CNN")
        ['情绪', '绪识', '识别', 'by', 'CNN']
        """
        return [part for word in _WORD.findall(input) for part in pairs(word)]

    def stem(self, word: str) -> str:
        """Return a word in small letters, as the browser asks for it."""
        return word.lower()


def pairs(word: str) -> list[str]:
    """Return a word, or the overlapping pairs of a Chinese one."""
    if not re.match(r"[\u3400-\u9fff]", word) or len(word) < 3:
        return [word]
    return [word[first : first + 2] for first in range(len(word) - 1)]
