"""Functions of users: whatever they do, the suite goes on, and says what they did."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.evaluation.trust.function import from_function
from emovox.evaluation.trust.system import ANY, SystemAnswer
from emovox.schema.errors import AnswerError, ConfigError

SECOND = np.full(16000, 0.1, np.float32)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Write a module of a user, and return the name of its function `hear`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def write(text: str) -> str:
        sys.modules.pop("theirs", None)
        (tmp_path / "theirs.py").write_text(text, encoding="utf-8")
        return "theirs:hear"

    yield write
    sys.modules.pop("theirs", None)


def answer(name: str, samples: Samples = SECOND) -> SystemAnswer:
    return from_function(name).hear[ANY](samples, 16000)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise SystemExit(0)", r"theirs:hear raises SystemExit: 0"),
        ("raise ValueError('two\\nlines' + 5000 * 'x')", r"theirs:hear raises ValueError: two linesx{150,199}…$"),
        ("return {1: 0.5, None: 0.5}", r"theirs:hear scores 1, None, expected labels of neutral, "),
        ("return {i: 0.5 for i in range(1000)}", r"theirs:hear scores 0, 1, 2, 3, 4, and 995 more, expected"),
        ("return [2, -1, 0, 0, 0, 0, 0]", r"returns the score -1, expected probabilities from 0 to 1"),
        ("return [1j] + 6 * [0]", r"theirs:hear returns list, expected a label or scores"),
        ("return Odd()", r"theirs:hear returns Odd, expected a label or scores"),
        ("return 5000 * 'x'", r"theirs:hear returns 'x{200}…', expected one of neutral"),
    ],
)
def test_what_a_function_does_is_an_error_in_one_short_line(
    written: Callable[[str], str], body: str, message: str
) -> None:
    odd = "class Odd:\n    def __array__(self, *_, **__):\n        raise RuntimeError('on a GPU')\n"
    with pytest.raises(AnswerError, match=message) as found:
        answer(written(f"{odd}def hear(samples, rate):\n    {body}\n"))
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 400


def test_a_module_that_ends_the_program_is_an_error(written: Callable[[str], str]) -> None:
    """A script that reads its own command line, for example."""
    with pytest.raises(ConfigError, match=r"theirs:hear: cannot be loaded \(SystemExit: 2\), expected module:function"):
        from_function(written("import sys\nsys.exit(2)\n"))


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("labels", "'neutral'", r"got 'neutral' as its `labels`, expected a list of different names"),
        ("labels", "5", r"got 5 as its `labels`"),
        ("labels", "[['a'], 'b']", r"got \[\['a'\], 'b'\] as its `labels`"),
        ("labels", "['a', 'a']", r"got \['a', 'a'\] as its `labels`"),
        ("labels", "['a']", r"got 1 labels, expected two or more"),
        ("corpora", "'tess'", r"got 'tess' as its `corpora`"),
        ("corpora", "None", r"got None as its `corpora`"),
    ],
)
def test_labels_and_corpora_are_lists_of_names(
    written: Callable[[str], str], attribute: str, value: str, message: str
) -> None:
    """A single name in place of a list would be taken letter by letter: then the corpus would count as unheard."""
    name = written(f"def hear(samples, rate):\n    return None\nhear.{attribute} = {value}\n")
    with pytest.raises(ConfigError, match=message):
        from_function(name)


def test_a_function_may_change_its_samples_and_print(
    written: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = "print('loading')\ndef hear(samples, rate):\n    samples *= 0\n    print('heard')\n    return 'sad'\n"
    samples = SECOND.copy()
    assert answer(written(text), samples) == SystemAnswer("sad", None, 1.0)
    np.testing.assert_array_equal(samples, SECOND)  # the next condition hears them, too
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "loading\nheard\n")


@pytest.mark.parametrize(
    "made", ["hear = Mine()", "from functools import partial\nhear = partial(Mine.__call__, Mine())"]
)
def test_answers_of_an_object_are_kept_by_its_source(written: Callable[[str], str], made: str) -> None:
    def digest(label: str) -> Any:
        text = f"class Mine:\n    def __call__(self, samples, rate):\n        return '{label}'\n{made}\n"
        return from_function(written(text)).digest

    assert digest("sad") == digest("sad")
    assert digest("sad") != digest("happy")
