"""Compute anew what the cases expect: `python -m tests.conformance.make`."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.conformance.cases import ANSWERS, Case, path_of, read


def document(cases: Iterable[Case]) -> str:
    """Write cases as JSON, one on a line."""
    return "[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n"


def main() -> None:
    """Write every file anew."""
    for topic, answer in ANSWERS.items():
        cases = [case | {"expected": answer(case["given"])} for case in read(topic)]
        path_of(topic).write_text(document(cases), encoding="utf-8")


if __name__ == "__main__":
    main()
