"""What a package's metadata say of the project's address: links of the README, and the list of addresses.

A release sets EMOVOX_PROJECT_URL (`https://host/owner/emovox`). Then links of the README to files of the repository
become absolute, as an index page has no such files. Without it the README stays as it is, and no address is listed.
"""

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "EMOVOX_PROJECT_URL"

_LINK = re.compile(r"(!?)\]\((?!https?:|#|mailto:)([^)\s]+)\)")
_IMAGE = re.compile(r"!\[[^\]]*\]\((?!https?:)([^)\s]+)\)")


def absolute(text: str, *, address: str, version: str) -> str:
    """Return Markdown whose relative links point to the files of a version's tag.

    >>> absolute("[a](docs/a.md#b) ![c](d.png) [e](#f)", address="https://x.org/o/r", version="1.0.0")
    '[a](https://x.org/o/r/blob/v1.0.0/docs/a.md#b) ![c](https://x.org/o/r/raw/v1.0.0/d.png) [e](#f)'
    """
    text = _IMAGE.sub(lambda found: found[0].replace(f"({found[1]})", f"({address}/raw/v{version}/{found[1]})"), text)
    return _LINK.sub(lambda found: f"]({address}/blob/v{version}/{found[2]})", text)


def addresses(address: str, version: str) -> dict[str, str]:
    """Return the addresses that an index page lists."""
    return {
        "Homepage": address,
        "Documentation": f"{address}/blob/v{version}/docs/index.md",
        "Changelog": f"{address}/blob/v{version}/CHANGELOG.md",
        "Issues": f"{address}/issues",
        "Responsible use": f"{address}/blob/v{version}/RESPONSIBLE_USE.md",
    }


class Metadata(MetadataHookInterface):
    """Fills in `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add both to the metadata; the version is in them already."""
        root = Path(self.root)
        text = (root / "README.md").read_text(encoding="utf-8")
        address = os.environ.get(VARIABLE, "").rstrip("/")
        if address:
            version = metadata["version"]
            text = absolute(text, address=address, version=version)
            metadata["urls"] = addresses(address, version)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
