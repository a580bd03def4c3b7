"""The compared systems and UDAS, without target labels, on one config's data, network and steps, over seeds.

    .venv/bin/python benchmarks/methods.py --config=configs/streets_to_camvid.py --workdir=runs/methods \
        [--seeds=1,2,3] [--reuse=runs/ablation] [--config.KEY=VALUE ...]

CONFIG with its overrides is saved as WORKDIR/config.json. Every run is one of
`bin/udas run --config=configs/methods/METHOD.py:WORKDIR/config.json`, in WORKDIR/seed-S/METHOD, and takes from the others
what it would make alike; what is finished is not done again. Prints a Markdown table: each system's last row over the
seeds, how far above no adaptation it is, and the command of its first seed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence

import studies
from studies import over

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir
from udas_tf.stages import study

# The first two train the networks, of two classifiers and of one, that the others start from.
FIRST = ("udas", "adaptsegnet_single")
THEN = ("cycada", "seg_uncertainty", "adaptsegnet", "advent", "minent")
SHOWN = ("adaptsegnet_single", "adaptsegnet", "advent", "minent", "seg_uncertainty", "cycada", "udas")
NO_LABELS = {"data.target.labelled": "0"}


def main(arguments: Sequence[str]) -> None:
    flags = studies.Flags(__doc__.splitlines()[0], arguments)
    studies.leave_memory()
    base = configs.override(configs.load(flags.config), flags.overrides)
    studies.claim(base, RunDir(flags.workdir), "a comparison")
    with contextlib.redirect_stdout(sys.stderr):  # what stages tell while they work
        lines = list(markdown(flags))
    print("\n".join(lines))


def markdown(flags: studies.Flags) -> Iterator[str]:
    """The table line by line."""
    planned = {
        (method, seed): (planned_config(flags, method, seed), RunDir(flags.workdir / f"seed-{seed}" / method))
        for method in (*FIRST, *THEN)
        for seed in flags.seeds
    }
    studies.check(planned.values())
    reports: dict[tuple[str, int], list[dict]] = {}
    for group in (FIRST, THEN):
        runs = {key: run for key, run in planned.items() if key[0] in group}
        reports |= zip(runs, study.side_by_side(list(runs.values()), flags.pool), strict=True)
    yield f"| system | last row | mIoU, seeds {', '.join(map(str, flags.seeds))} | above no_adaptation | command |"
    yield "|---|---|---:|---:|---|"
    for method in SHOWN:
        finals = [study.final(reports[method, seed]) for seed in flags.seeds]
        gained = [
            {"miou": last["miou"] - _of(reports["udas", seed], study.BASELINE)["miou"]}
            for last, seed in zip(finals, flags.seeds, strict=True)
        ]
        config, run_dir = planned[method, flags.seeds[0]]
        told = studies.command(_name(flags, method), config, {}, NO_LABELS, run_dir)
        yield f"| {method} | {finals[0]['name']} | {over(finals)} | {over(gained)} | `{told}` |"


def planned_config(flags: studies.Flags, method: str, seed: int):
    """The config of a system over the saved one, with a seed and without target labels; of UDAS only the rows that its
    last student takes."""
    config = study.seeded(configs.override(configs.load(_name(flags, method)), NO_LABELS), seed)
    return study.only_final(config) if method == "udas" else config


def _name(flags: studies.Flags, method: str) -> str:
    return f"configs/methods/{method}.py:{RunDir(flags.workdir).config}"


def _of(rows: Sequence[dict], name: str) -> dict:
    return next(row for row in rows if row["name"] == name)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"methods: {error}")
