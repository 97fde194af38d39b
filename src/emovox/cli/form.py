"""The two forms in which commands print figures."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """Output formats."""

    TABLE = "table"
    JSON = "json"
