"""docs/trust.md: options exist, the function is a system, numbers are those of the list, the table is current."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from emovox.evaluation.trust.function import from_function
from emovox.evaluation.trust.outcome import OutcomeCounts
from emovox.evaluation.trust.suite import SUITE, TOPICS
from publish.laboratory import RESULTS
from publish.trust import _cell, trust_table

PAGE = (Path(__file__).parents[3] / "docs" / "trust.md").read_text(encoding="utf-8")


def test_the_options_of_the_page_exist() -> None:
    from emovox.cli.evaluate import evaluate

    (text,) = re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
    assert set(re.findall(r"--([a-z-]+)", text)) <= set(evaluate.__annotations__)


def test_the_function_of_the_page_is_a_system(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    module = ModuleType("shown")
    exec(compile(code, "docs/trust.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "shown", module)
    system = from_function("shown:hear")
    assert (system.labels, system.learnt, system.notes) == (("neutral", "angry"), frozenset({"ravdess"}), ())
    assert system.hear[""](np.zeros(16000, np.float32), 16000) == ("neutral", (0.7, 0.3), 1.0)


def test_the_page_names_all_topics_and_counts_the_changes() -> None:
    rows = re.findall(r"^\| (\w+) \|", PAGE, flags=re.MULTILINE)
    assert [row for row in rows if row in TOPICS] == list(TOPICS)
    changes = sum(len(check.over) for check in SUITE if check.name == "unchanged")
    assert f"under {changes} changes" in PAGE


def test_the_table_of_the_page_is_what_the_results_give() -> None:
    assert trust_table(RESULTS / "trust") in PAGE, "run make results"
    assert (_cell(OutcomeCounts(4, 3, 2)), _cell(OutcomeCounts(0, 0, 2))) == ("3 / 4", "–")
