"""Parts of a recipe whose network is trained in seconds."""

from __future__ import annotations

DATA = """
[data]
corpora = ["own.jsonl"]
protocol = "si"
"""

ENCODER = """
[encoder]
name = "mobile"
width = 8
blocks = 2
features = 8
frames = { hop = 320, f0 = false }
"""
