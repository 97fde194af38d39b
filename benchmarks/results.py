"""Rebuild every table of figures from the committed predictions: docs/results.md, and the tables in both READMEs.

    python benchmarks/results.py [--collect]

`results/<model>/<corpus>-<protocol>.csv` is what the figures are computed from; `results/<model>/cost.json` holds the
number of parameters and the latency. `--collect` first copies the predictions of finished trainings from the cache
folder.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path
from typing import Any

from emovox.evaluation.caveats import caveats
from emovox.evaluation.comparison import Entry, Measured, describe_protocol, measure
from emovox.evaluation.document import to_markdown
from emovox.evaluation.metrics import chance
from emovox.evaluation.predictions import read_predictions
from emovox.training.cache import cache_folder

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
RUNS = ("svm", "svm-ravdess", "svm-emodb", "svm-casia", "svm-nemo", "svm-tess", "svm-ravdess-sd", "svm-casia-sd")
SECTIONS = {
    "ravdess-8": "RAVDESS, 8 classes (calm apart)",
    "ravdess-7": "RAVDESS, 7 classes (calm is neutral)",
    "emodb": "EMO-DB, 7 classes (boredom, no surprise; the seven-class view leaves boredom out)",
    "casia": "CASIA, 6 classes",
    "nemo": "nEMO, 6 classes",
    "tess": "TESS, 7 classes",
}
HEAD = ("model", "protocol", "clips", "UAR", "accuracy", "weighted F1", "macro F1", "ECE", "UAR over folds")
README_HEAD = ("corpus", "protocol", "UAR", "accuracy", "chance", "command")
README_ROWS = (
    *("ravdess-8-si", "emodb-si", "casia-si", "nemo-si"),
    *("ravdess-8-joint", "emodb-joint", "nemo-joint", "tess-zero-shot", "casia-zero-shot"),
    *("ravdess-8-joint-narrow", "emodb-joint-narrow", "nemo-joint-narrow"),
    *("ravdess-7-sd", "casia-sd"),
)
FEATURES = {
    "svm-1-mfcc": "13 MFCC",
    "svm-2-delta": "+ Δ + ΔΔ",
    "svm-3-f0": "+ F0 and voicing",
    "svm-4-energy": "+ energy",
    "svm-5-all": "all functionals",
    "svm-6-pca": "all, PCA (95 %)",
    "svm-7-selection": "300 by mutual information, PCA",
    "svm": "all, PCA, and learnt from whole clips and copies too (other speeds, 8 kHz)",
}
FEATURE_COLUMNS = ("ravdess-8-si", "emodb-si", "casia-si")


PICTURES = """## What the functionals look like

The clips of the joint training in one piece each, laid out by t-SNE: by emotion, by speaker, by corpus, and how much
variance the principal components keep. Corpora and the speakers of nEMO and TESS lie apart, emotions do not: it is the
reason why a random split over clips flatters a model, and why unknown speakers are hard. `emovox train` draws them.

![t-SNE by emotion](pictures/tsne-emotion.png)
![t-SNE by speaker](pictures/tsne-speaker.png)
![t-SNE by corpus](pictures/tsne-corpus.png)
![variance that the principal components keep](pictures/pca-variance.png)
"""

VIEWS = """## Whole clips, and through 8 kHz

*Whole clips* stand beside the path of `predict`, to show that both agree. A clip in one piece holds the silence around
the speech too, which the tiles leave out, and the functionals describe it (pauses, low percentiles, slopes of the
level). *Through 8 kHz* is what telephone recordings would give: the same tiles, resampled to 8 kHz and back. A model
that learnt from neither fails on both, so the recipes learn from such copies of the training clips:

{table}
What remains between whole clips and the path of `predict`, up to one and a half points on RAVDESS and CASIA, comes from
there: a fifth of the rows that these recipes learn from are whole clips, and in joint training those of nEMO are not
among them.
"""


def main() -> None:
    """Collect if wanted, measure everything, write the documents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collect", action="store_true", help="copy predictions of finished trainings first")
    if parser.parse_args().collect:
        collect()
    found = {path.relative_to(RESULTS).with_suffix("").as_posix(): path for path in RESULTS.glob("*/*.csv")}
    measured = {name: _measure(found[name]) for name in sorted(found)}
    (ROOT / "docs" / "results.md").write_text(document(measured), encoding="utf-8")
    for name in ("README.md", "README.zh-CN.md"):
        _replace_block(ROOT / name, readme_table(measured))


def collect() -> None:
    """Copy the predictions of finished trainings into results/svm."""
    for run in RUNS:
        for path in sorted((cache_folder() / "runs" / run / "predictions").glob("*.csv")):
            (RESULTS / "svm").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, RESULTS / "svm" / path.name)


def document(measured: dict[str, Measured]) -> str:
    """Compose docs/results.md."""
    parts = [
        "# Results\n",
        "Made by `make results` from the predictions in `results/`; every figure is recomputed from them by "
        "`emovox evaluate --predictions FILE.csv`. All figures in %, 95 % intervals in brackets. How they are "
        "measured: [evaluation.md](evaluation.md).\n",
        _costs(),
        "## What each group of functionals brings\n",
        "UAR, speaker-independent, on the path of `predict`. The SVM without PCA works on standardised functionals; "
        "penalty and kernel width are chosen on training speakers in every row.\n",
        feature_table(measured),
        "Made by `python benchmarks/feature_groups.py`; the last row by `emovox train recipes/svm-ravdess.toml`, "
        "`…/svm-emodb.toml`, `…/svm-casia.toml`.\n",
    ]
    parts += [PICTURES]
    for corpus, title in SECTIONS.items():
        own = {name: each for name, each in measured.items() if name.startswith(f"svm/{corpus}-")}
        if own:
            parts += [f"## {title}\n", _corpus_table(own), _recall_table(own)]
    parts.append(VIEWS.format(table=views_table(measured)))
    parts.append(to_markdown("", caveats(list(measured.values()))).replace("# \n", "").strip() + "\n")
    return "\n".join(parts)


def feature_table(measured: dict[str, Measured]) -> str:
    """One row a set of functionals, one column a corpus."""
    rows = [["chance", *(_percent(1 / n) for n in (8, 7, 6))]]
    for model, title in FEATURES.items():
        cells = [measured.get(f"{model}/{column}") for column in FEATURE_COLUMNS]
        rows.append([title, *("not run" if each is None else _interval(each, "uar") for each in cells)])
    return _table(("functionals", "RAVDESS-8", "EMO-DB", "CASIA"), rows)


def views_table(measured: dict[str, Measured]) -> str:
    """What learning from copies changes, on RAVDESS: one row a model, one column a view of the test clips."""
    rows = []
    for model, title in (("svm-6-pca", "tiles alone"), ("svm", "tiles, whole clips, other speeds, 8 kHz")):
        views = [measured[f"{model}/ravdess-8-si{view}"] for view in ("", "-whole", "-narrow")]
        rows.append([title, *(_interval(each, "uar") for each in views)])
    return _table(("RAVDESS-8, UAR; learnt from", "path of `predict`", "whole clips", "through 8 kHz"), rows)


def readme_table(measured: dict[str, Measured]) -> str:
    """The headline figures: one row a corpus and protocol."""
    rows = []
    for name in README_ROWS:
        each = measured.get(f"svm/{name}")
        if each is not None:
            rows.append([
                SECTIONS[_corpus_of(name)].split(",")[0] + (" (7 classes)" if name.startswith("ravdess-7") else ""),
                each.protocol, _interval(each, "uar"), _interval(each, "accuracy"),
                _percent(chance(each.predictions)["uar"]), f"`{_command(name)}`",
            ])  # fmt: skip
    return _table(README_HEAD, rows)


def _measure(path: Path) -> Measured:
    entry = Entry(path.stem, read_predictions(path), describe_protocol(path.stem))
    return measure([entry])[0]


def _corpus_table(own: dict[str, Measured]) -> str:
    first = next(iter(own.values()))
    rows = [["chance", "–", str(first.summary.clips), *(_percent(chance(first.predictions)[k]) for k in METRICS), "–"]]
    for each in own.values():
        uar = each.summary.uar
        folds = "–" if uar.fold_mean is None else f"{100 * uar.fold_mean:.1f} ± {100 * (uar.fold_sd or 0):.1f}"
        figures = [_interval(each, "uar"), _interval(each, "accuracy")]
        figures += [_percent(each.summary.estimates[key].value) for key in METRICS[2:]]
        rows.append(["svm", each.protocol, str(each.summary.clips), *figures, folds])
    commands = dict.fromkeys(_command(name.split("/")[1]) for name in own)
    return _table(HEAD, rows) + "\nCommands: " + ", ".join(f"`{command}`" for command in commands) + "\n"


METRICS = ("uar", "accuracy", "weighted_f1", "macro_f1", "ece")


def _recall_table(own: dict[str, Measured]) -> str:
    classes = list(dict.fromkeys(name for each in own.values() for name in each.summary.recalls))
    rows = [
        [
            each.protocol,
            *(_percent(each.summary.recalls[name]) if name in each.summary.recalls else "–" for name in classes),
        ]
        for each in own.values()
    ]
    return "Recall of each emotion:\n\n" + _table(("protocol", *classes), rows)


def _costs() -> str:
    rows = []
    for path in sorted(RESULTS.glob("*/cost.json")):
        cost: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows.append([path.parent.name, f"{cost['parameters']:,}", cost["latency"], f"`{cost['command']}`"])
    return _table(("model", "parameters", "latency, 3 s of audio, one core", "measured by"), rows)


def _command(name: str) -> str:
    corpus = _corpus_of(name)
    if name == "casia-zero-shot":
        return "emovox evaluate svm --corpus casia --protocol zero-shot"
    if "-joint" in name or name.startswith("tess-zero-shot"):
        return "emovox train recipes/svm.toml"
    plain = re.sub(r"-\d$", "", corpus)
    return f"emovox train recipes/svm-{plain}{'-sd' if '-sd' in name else ''}.toml"


def _corpus_of(name: str) -> str:
    return re.split(r"-(?:si|sd|joint|zero-shot)\b", name)[0]


def _interval(each: Measured, metric: str) -> str:
    found = each.summary.estimates[metric]
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (list(head), ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def _replace_block(path: Path, text: str) -> None:
    begin, end = "<!-- results:begin -->", "<!-- results:end -->"
    page = path.read_text(encoding="utf-8") if path.is_file() else ""
    if begin in page and end in page:
        before, after = page.split(begin)[0], page.split(end)[1]
        path.write_text(f"{before}{begin}\n{text}{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
