"""Whatever writes to file descriptor 2 becomes lines of the log; text from strangers is harmless there."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from emovox.serving.logs import JsonLines, TextLines
from emovox.serving.run import _greeting

CODE = """
import os, sys, logging
from emovox.serving.logs import set_up
from emovox.serving.settings import ServiceSettings
from emovox.serving.stderr import take_stderr
take_stderr(set_up(ServiceSettings(log=sys.argv[1])))
log = logging.getLogger("emovox.serving")
log.info("ready")
os.write(2, b"\\x1b[1;31m2026 [E:onnxruntime] bad\\x1b[m\\n\\xff\\n\\n")
for number in range(100):
    print("line", number, file=sys.stderr)
os.system("echo from a child >&2")
raise RuntimeError("the last words")
"""


def _written(form: str) -> list[str]:
    run = subprocess.run([sys.executable, "-c", CODE, form], capture_output=True, check=False, timeout=60)
    assert (run.returncode, run.stdout) == (1, b"")
    return run.stderr.decode().splitlines()


def test_every_line_is_json() -> None:
    lines = [json.loads(line) for line in _written("json")]
    assert {tuple(line)[:3] for line in lines} == {("time", "level", "event")}
    texts = [line["text"] for line in lines if line["event"] == "standard error"]
    assert texts[:2] == ["\x1b[1;31m2026 [E:onnxruntime] bad\x1b[m", "\\xff"]
    assert len(texts) == 50
    assert lines[-1]["event"] == "standard error had more lines"
    assert lines[-1]["lines"] >= 53


def test_no_line_of_text_has_a_code_of_the_terminal() -> None:
    lines = _written("text")
    assert all(line.isprintable() for line in lines)
    assert any("text=\\x1b[1;31m2026 [E:onnxruntime] bad\\x1b[m" in line for line in lines)


HOSTILE = "a\x1b[2J\x9b2J\nready\u202e"


@pytest.mark.parametrize("form", [JsonLines(), TextLines()])
def test_facts_of_strangers_are_one_harmless_line(form: logging.Formatter) -> None:
    record = logging.makeLogRecord({"msg": "ready", "levelname": "INFO", "model": HOSTILE})
    line = form.format(record)
    assert not any(code in line for code in "\x1b\x9b\n")


def test_the_greeting_of_a_hostile_card() -> None:
    names = ["version", "model", "url", "licence", "licence_risk", "streams_measured", "cores", "streams_most"]
    text = _greeting(dict.fromkeys(names, HOSTILE) | {"workers": 1})
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(text.split("\n")) == 5
