"""The log on standard error: one line per event, as text or JSON.

It never has a key, a file's name, an address, or audio.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from emovox.schema.text import printable
from emovox.serving.settings import ServiceSettings

_CONTROLS = re.compile("[\x7f-\x9f]")  # JSON need not escape them, and terminals obey them
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """One JSON object per line: time (UTC), level, event, and the `extra` facts of the call."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, Any] = {"time": _time(record), "level": record.levelname.lower(), "event": record.getMessage()}
        line |= _facts(record)
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", msgspec.json.encode(line).decode())


class TextLines(logging.Formatter):
    """The same facts as readable text, one line per event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, with the traceback below."""
        facts = "".join(f" {name}={value}" for name, value in _facts(record).items())
        line = printable(f"{_time(record)} {record.levelname.lower():7} {record.getMessage()}{facts}")
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


def set_up(settings: ServiceSettings, *, supervises: bool = False) -> logging.StreamHandler[TextIO]:
    """Send the log of the service, and the warnings of uvicorn, to standard error, and return the handler.

    Args:
        settings: `log` and `log_level`.
        supervises: this process only starts workers; uvicorn then reports on them at `log_level`. In a process that
            serves, uvicorn would log addresses of clients.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.log == "json" else TextLines())
    for name, level in {
        "emovox.serving": settings.log_level.upper(),
        "uvicorn.error": settings.log_level.upper() if supervises else "WARNING",
        "python_multipart": "ERROR",
        "asyncio": "ERROR",
    }.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = True  # it would log addresses and query strings
    return handler


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _PLAIN}
