"""UDAS and the systems it is compared with, without target labels, on one config's data, network and steps, over seeds.

    .venv/bin/python benchmarks/methods.py --config=configs/streets_to_camvid.py --workdir=runs/methods \
        [--seeds=1,2,3] [--reuse=runs/ablation] [--config.KEY=VALUE ...]

CONFIG with its overrides is saved as WORKDIR/config.json. Every run is a
`bin/udas run --config=configs/methods/METHOD.py:WORKDIR/config.json` in WORKDIR/seed-S/METHOD. It links from the others
what it would make alike; what is finished is not done again. Prints a table in Markdown: the last row of each system
over the seeds, how far it is above no adaptation, and the command of its first seed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import studies
from ml_collections import ConfigDict
from studies import over

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.evaluation.scores import Scores
from udas_tf.report.label_curve import shown, spread
from udas_tf.run_dir import RunDir
from udas_tf.runs import study

# The first two train the networks that the others start from: one with two classifiers, one with one.
FIRST = ("udas", "adaptsegnet_single")
THEN = ("cycada", "seg_uncertainty", "adaptsegnet", "advent", "minent")
LISTED = ("adaptsegnet_single", "adaptsegnet", "advent", "minent", "seg_uncertainty", "cycada", "udas")
NO_LABELS = {"data.target.labelled": "0"}


def main(arguments: Sequence[str]) -> None:
    flags = studies.Flags(__doc__.splitlines()[0], arguments)
    studies.set_up()
    base = configs.override(configs.load(flags.config), flags.overrides)
    studies.claim(base, RunDir(flags.workdir), "a comparison")
    print("\n".join(list(markdown(flags))))


def markdown(flags: studies.Flags) -> Iterator[str]:
    """The table, line by line."""
    planned: dict[tuple[str, int], study.Study] = {
        (method, seed): (planned_config(flags, method, seed), RunDir(flags.workdir / f"seed-{seed}" / method))
        for method in (*FIRST, *THEN)
        for seed in flags.seeds
    }
    studies.check(planned.values())
    scores: dict[tuple[str, int], list[Scores]] = {}
    for group in (FIRST, THEN):
        runs = {key: run for key, run in planned.items() if key[0] in group}
        scores |= zip(runs, study.side_by_side(list(runs.values()), flags.taken_from), strict=True)
    yield f"| system | last row | mIoU, seeds {', '.join(map(str, flags.seeds))} | above no_adaptation | command |"
    yield "|---|---|---:|---:|---|"
    for method in LISTED:
        last = [study.last_scores(planned[method, seed][0], scores[method, seed]) for seed in flags.seeds]
        without = [_named(scores["udas", seed], study.BASELINE) for seed in flags.seeds]
        gain = spread(one.miou - other.miou for one, other in zip(last, without, strict=True))
        config, run_dir = planned[method, flags.seeds[0]]
        typed = studies.command(_name(flags, method), config, {}, NO_LABELS, run_dir)
        yield f"| {method} | {last[0].name} | {over(last)} | {shown(gain)} | `{typed}` |"


def planned_config(flags: studies.Flags, method: str, seed: int) -> ConfigDict:
    """The config of a system on the saved config, with a seed and without target labels.

    UDAS has only the rows that its last student needs.
    """
    config = study.seeded(configs.override(configs.load(_name(flags, method)), NO_LABELS), seed)
    return study.only_last(config) if method == "udas" else config


def _name(flags: studies.Flags, method: str) -> str:
    return f"configs/methods/{method}.py:{RunDir(flags.workdir).config}"


def _named(scores: Sequence[Scores], name: str) -> Scores:
    return next(one for one in scores if one.name == name)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"methods: {error}")
