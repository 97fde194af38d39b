"""Folders for data of this user, where the operating system keeps such data."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def data_folder(
    name: str, variable: str, environ: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> Path:
    """Return the folder that the environment variable names, or `emovox/<name>` of this user's data; it may not exist.

    >>> data_folder("speakers", "EMOVOX_SPEAKERS", {"EMOVOX_SPEAKERS": "/tmp/voices"}).as_posix()
    '/tmp/voices'
    """
    if named := environ.get(variable):
        return Path(named)
    if platform == "win32":
        base = Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "emovox" / name
