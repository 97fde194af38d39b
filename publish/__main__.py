"""Rebuild every generated table of the documentation and of both READMEs, the figures from results/.

    python -m publish [--collect] [--cost MODEL …]

The figures are computed from `results/<model>/<corpus>_<labels>_<protocol>_<condition>.csv`. The recipes say which
there should be. A missing one reads "not run", beside the command that makes it.

`--collect` first takes the predictions of finished trainings from the cache folder. `--cost` first measures what models
cost: see publish/cost.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from emovox.evaluation.adaptation.counts import read_counts, write_counts
from emovox.evaluation.figures.files import read_predictions, write_figure
from emovox.runtime.registry import read_card, shipped
from emovox.schema.figure import FigureKey
from emovox.training.cache import cache_folder
from emovox.training.run import ADAPTATION
from publish import adaptation, cards, corpora, overview, results, speed
from publish.cost import write_cost
from publish.fusion import fusion_table
from publish.laboratory import RESULTS, ROOT, Figures, Planned, in_order, planned
from publish.site import generated
from publish.trust import calibration_table, sets_table, speech_table, trust_table


def main() -> None:
    """Collect and measure if wanted, then write the documents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collect", action="store_true", help="copy predictions of finished trainings first")
    parser.add_argument("--cost", nargs="+", default=[], metavar="MODEL", help="measure what these models cost first")
    options = parser.parse_args()
    plans = planned()
    if options.collect:
        collect(plans, cache_folder() / "runs", RESULTS)
        adaptation.write_pictures()
    for model in options.cost:
        print(f"{model}: {write_cost(model)}")
    figures = Figures(RESULTS, plans)
    (ROOT / "docs" / "results.md").write_text(results.document(figures), encoding="utf-8")
    (ROOT / "docs" / "speed.md").write_text(speed.document(RESULTS / "speed"), encoding="utf-8")
    (ROOT / "docs" / "models.md").write_text(cards.document(figures), encoding="utf-8")
    replace_block(ROOT / "docs" / "corpora.md", "corpora", corpora.corpora_table())
    replace_block(ROOT / "docs" / "corpora.md", "labels", corpora.label_table())
    replace_block(ROOT / "docs" / "face.md", "fusion", fusion_table(RESULTS / "fusion"))
    replace_block(ROOT / "docs" / "trust.md", "trust", trust_table(RESULTS / "trust"))
    replace_block(ROOT / "docs" / "not-speech.md", "speech", speech_table(RESULTS / "speech"))
    paths = shipped()
    shown = sets_table(read_card(paths[name]) for name in in_order(paths))
    replace_block(ROOT / "docs" / "confidence.md", "sets", shown)
    worth = calibration_table(read_card(paths[name]) for name in in_order(paths))
    replace_block(ROOT / "docs" / "confidence.md", "calibration", worth)
    overview.write_picture(figures)
    generated.write()
    for name in ("docs/quality.md", "docs/zh/quality.md"):
        replace_block(ROOT / name, "figures", results.quality_table(figures))
    for name in ("README.md", "README.zh-CN.md"):
        replace_block(ROOT / name, "results", results.readme_table(figures))


def collect(plans: list[Planned], runs: Path, target: Path) -> None:
    """Write the predictions of finished trainings to the folder of their model."""
    for model, run in dict.fromkeys((plan.key.model, plan.run) for plan in plans if plan.run):
        for path in sorted((runs / run / "predictions").glob("*.csv")):
            write_figure(read_predictions(path), FigureKey.parse(model, path.stem), target)
        if (counts := runs / run / ADAPTATION).is_file():
            write_counts(target / "adaptation" / f"{run}.csv", read_counts(counts))


def replace_block(path: Path, name: str, text: str) -> None:
    """Put a text between `<!-- name:begin -->` and `<!-- name:end -->`, where a page has these."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    page = path.read_text(encoding="utf-8") if path.is_file() else ""
    if begin in page and end in page:
        before, after = page.split(begin)[0], page.split(end)[1]
        path.write_text(f"{before}{begin}\n{text}{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
