"""Make inputs of the recordings of a folder in a process of its own: `made.py FOLDER CACHE [VIEW]`.

With a view, the process dies when that view of the second clip is to be computed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from emovox.augment.config import Augment, Gain
from emovox.corpora.manifest import Clip
from emovox.training.data import views
from emovox.training.data.inputs import make_inputs
from tests.models.small import MOBILE

AUGMENT = Augment(gain=Gain(probability=1.0))


def main(folder: str, cache: str, die: str = "") -> None:
    torch.set_num_threads(1)
    paths = sorted(Path(folder).glob("*.wav"))
    clips = [
        Clip(corpus="own", id=one.stem, path=str(one), native="x", label="x", duration=1.6, sample_rate=16000)
        for one in paths
    ]
    compute, seen = views._view, []

    def dying(name: str, *rest: Any) -> views.View:
        seen.append(name)
        if seen.count(die) == len(paths):
            os.kill(os.getpid(), signal.SIGKILL)
        return compute(name, *rest)

    with mock.patch.object(views, "_view", dying):
        make_inputs(clips, MOBILE, copies={"own": 2}, augment=AUGMENT, seed=0, folder=Path(cache), workers=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
