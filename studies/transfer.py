"""What makes a head on frozen statistics carry over to corpora, languages and voices that it has not heard.

    python -m studies.transfer [VARIANT …] [--seeds 3] [--corpora ravdess,casia,…] [--steps 300] [--width 768]

Heads of 128 learn by the training loop from the statistics of clips by the shipped `accurate`, which
`studies.adaptation` keeps in the cache. To be quick they learn from clip means, without changed copies, and each of the
three blocks is projected to a third of `--width` random directions: read the differences, not the levels.

With `--voices`, one copy of each clip in another voice is computed too, once: women 10 to 25 % lower, men 10 to 30 %
higher, pitch and formants alike. The variant "voices of the other sex" learns from them.

Prints one row for each variant, means over seeds. Unheard: UAR on each corpus by a head that learnt from the others,
plain, standardised by the statistics of the corpus, and by those of each speaker (all clips, balanced). Home: UAR on
held-out speakers in three folds of all corpora. Male, female: the same by sex. Probes: accuracy of a linear map from
the embeddings of held-out speakers to language and corpus (learnt on the training speakers) and to speaker (learnt on
half of the clips of the held-out ones), unweighted over their classes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression

from emovox.evaluation.report.document import Table, to_markdown
from emovox.models.scores import Matrix
from emovox.training.data.statistics import measure
from emovox.training.data.task import Indices
from emovox.training.plan import Adversary
from emovox.training.stages.head import embeddings, logits
from studies.adaptation import CORPORA
from studies.kit import (
    BLOCKS,
    Kit,
    Variant,
    fit,
    folds,
    read_kit,
    standardized,
    uar,
)
from studies.terms import contrastive, coral, weighted_groups

SEXES = ("male", "female")


def main() -> None:
    """Measure the variants, and print the table."""
    options = _options()
    torch.set_num_threads(1)  # more threads than free cores make everything slower
    kit = read_kit(options.corpora, options.width, options.steps, voices=options.voices)
    if options.sexes:
        print_sexes(kit, options.variants, options.seeds)
        return
    head = ("variant", *options.corpora, "unheard", "source", "speaker", "home", "male", "female", *PROBES)
    rows = []
    for name in options.variants:
        found = [measured(kit, VARIANTS[name], options.corpora, seed) for seed in range(options.seeds)]
        mean, spread = np.mean(found, axis=0), np.std(np.mean([row[: len(options.corpora)] for row in found], axis=1))
        rows.append((f"{name} (± {spread:.1f})", *(f"{value:.1f}" for value in mean)))
        print("|", " | ".join(rows[-1]), "|", flush=True)
    print(to_markdown("Transfer", [Table(head, tuple(rows))]))


def print_sexes(kit: Kit, variants: Sequence[str], seeds: int) -> None:
    """Print the UAR of men and of women on held-out speakers, by corpus; means over seeds."""
    rows = []
    for name in variants:
        found = [by_sex(kit, out_of_fold(kit, VARIANTS[name], seed)) for seed in range(seeds)]
        cells = {corpus: np.mean([one[corpus] for one in found], axis=0) for corpus in found[0]}
        cells["mean"] = np.mean(list(cells.values()), axis=0)
        rows.append((name, *(f"{men:.1f} / {women:.1f}" for men, women in cells.values())))
        print("|", " | ".join(rows[-1]), "|", flush=True)
    print(to_markdown("Men / women", [Table(("variant", *cells), tuple(rows))]))


def measured(kit: Kit, variant: Variant, corpora: Sequence[str], seed: int) -> list[float]:
    """Return the row of a variant."""
    plain, source, speaker = [], [], []
    everything = np.arange(len(kit.task.clips))
    for corpus in corpora:
        test = kit.where(corpus)
        head = fit(kit, np.setdiff1d(everything, test), variant, seed)
        plain.append(uar(kit, test, logits(head, kit.statistics[test])))
        source.append(uar(kit, test, standardized(kit, head, test, [test])))
        voices = [test[kit.speakers[test] == name] for name in np.unique(kit.speakers[test])]
        speaker.append(uar(kit, test, standardized(kit, head, test, voices)))
    return [
        *plain,
        float(np.mean(plain)),
        float(np.mean(source)),
        float(np.mean(speaker)),
        *at_home(kit, variant, seed),
    ]


def at_home(kit: Kit, variant: Variant, seed: int) -> list[float]:
    """Return UAR on held-out speakers (mean over corpora; male, female), and the accuracies of the probes."""
    probes: list[list[float]] = []
    scores = out_of_fold(kit, variant, seed, probes)
    home = [uar(kit, here, scores[here]) for here in map(kit.where, kit.task.corpora)]
    return [float(np.mean(home)), *np.mean(list(by_sex(kit, scores).values()), axis=0), *np.mean(probes, axis=0)]


def out_of_fold(kit: Kit, variant: Variant, seed: int, probes: list[list[float]] | None = None) -> Matrix:
    """Return the logits [n, classes] of clips by heads that have not heard their speaker; fill in probes, if given."""
    scores = np.empty((len(kit.task.clips), len(kit.task.classes)))
    for test in folds(kit):
        train = np.setdiff1d(np.arange(len(kit.task.clips)), test)
        head = fit(kit, train, variant, seed)
        scores[test] = logits(head, kit.statistics[test])
        if probes is not None:
            probes.append(probe(kit, embeddings(head, kit.statistics), train, test))
    return scores


def by_sex(kit: Kit, scores: Matrix) -> dict[str, tuple[float, float]]:
    """Return the UAR in % of men and of women, for each corpus that has both."""
    sexes = np.array([str(clip.sex) for clip in kit.task.clips])
    places = {name: kit.where(name) for name in kit.task.corpora}
    parts = {name: [here[sexes[here] == sex] for sex in SEXES] for name, here in places.items()}
    return {
        name: (uar(kit, men, scores[men]), uar(kit, women, scores[women]))
        for name, (men, women) in parts.items()
        if len(men) and len(women)
    }


PROBES = ("language known", "corpus known", "speaker known")


def probe(kit: Kit, embedded: Matrix, train: Indices, test: Indices) -> list[float]:
    """Return the unweighted accuracies in % of linear maps from embeddings to language, corpus and speaker."""
    places = np.arange(len(test)) % 2 == 0
    return [
        _probed(embedded, kit.task.language, train, test),
        _probed(embedded, kit.task.corpus, train, test),
        _probed(embedded, kit.task.speaker, test[places], test[~places]),
    ]


def _probed(embedded: Matrix, codes: Indices, train: Indices, test: Indices) -> float:
    scale = measure(embedded[train].astype(np.float32))
    values = scale(embedded.astype(np.float32))
    fitted = LogisticRegression(C=0.1, max_iter=200, class_weight="balanced").fit(values[train], codes[train])
    right = fitted.predict(values[test]) == codes[test]
    return 100 * float(np.mean([right[codes[test] == code].mean() for code in np.unique(codes[test])]))


def some_blocks(member: int, width: int) -> npt.NDArray[np.bool_]:
    """Return the statistics of a member: the first block, the second, the third, all."""
    block = np.arange(width) // (width // BLOCKS)
    return np.ones(width, np.bool_) if member == BLOCKS else block == member


def random_columns(share: float) -> Callable[[int, int], npt.NDArray[np.bool_]]:
    """Return statistics drawn at random for each member (random subspaces: Ho, 1998)."""
    return lambda member, width: np.random.default_rng(member).random(width) < share


VARIANTS = {
    "base": Variant(),
    "adversary on language 0.1": Variant(adversary=Adversary(on="language", strength=0.1)),
    "adversary on language 0.3": Variant(adversary=Adversary(on="language", strength=0.3)),
    "adversary on language 1": Variant(adversary=Adversary(on="language", strength=1.0)),
    "adversary on corpus 0.3": Variant(adversary=Adversary(on="corpus", strength=0.3)),
    "adversary on speaker 0.3": Variant(adversary=Adversary(on="speaker", strength=0.3)),
    "correlation alignment 1": Variant(terms=coral(1.0)),
    "correlation alignment 10": Variant(terms=coral(10.0)),
    "contrastive pairs 0.1": Variant(terms=contrastive(0.1)),
    "contrastive pairs 0.5": Variant(terms=contrastive(0.5)),
    "no speaker view": Variant(speaker_view=False),
    "three members": Variant(members=3),
    "four members, one block or all": Variant(members=4, columns=some_blocks),
    "three members, a third of the columns": Variant(members=3, columns=random_columns(1 / 3)),
    "three members, half of the columns": Variant(members=3, columns=random_columns(0.5)),
    "men weigh 1.5": Variant(terms=weighted_groups(0.0, male=1.5)),
    "men weigh 2": Variant(terms=weighted_groups(0.0, male=2.0)),
    "voices of the other sex": Variant(copies=True),
    "worst group 0.01": Variant(terms=weighted_groups(0.01)),
    "worst group 0.05": Variant(terms=weighted_groups(0.05)),
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = [name for name, variant in VARIANTS.items() if not variant.copies]
    parser.add_argument("variants", nargs="*", default=chosen, help=", ".join(VARIANTS))
    parser.add_argument("--corpora", type=lambda text: tuple(text.split(",")), default=CORPORA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--voices", action="store_true", help="compute copies in voices of the other sex, once")
    parser.add_argument("--sexes", action="store_true", help="print UAR by corpus and sex instead")
    parser.add_argument("--width", type=int, default=768)
    return parser.parse_args()


if __name__ == "__main__":
    main()
