"""The paper's ablation over seeds; and, with the first seed, the full method without each of its ingredients.

    .venv/bin/python benchmarks/ablation.py --config=configs/streets_to_camvid.py --workdir=runs/ablation \
        [--seeds=1,2,3] [--reuse=runs/sweep] [--config.KEY=VALUE ...]

Every run is a `bin/udas run` in WORKDIR/seed-S/full or WORKDIR/seed-S/without-INGREDIENT. It links from the others what
it would make alike; what is finished is not done again. Prints three tables in Markdown, with commands: the rows over
the seeds; what each ingredient is worth; and what the row supervised scores on the source, on the translated source and
on the target.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import studies
from ml_collections import ConfigDict
from studies import over

from udas_tf import config as configs
from udas_tf import typed_json
from udas_tf.errors import UserError
from udas_tf.evaluation.evaluate import evaluate, scores_path
from udas_tf.evaluation.scores import SOURCE, TARGET, TRANSLATED, Scores
from udas_tf.report.label_curve import shown, spread
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir
from udas_tf.runs import rows, study

# Ingredient -> the keys that take it out. Ingredients that a config lacks anyway are left out.
INGREDIENTS = {
    "kl": {"uda.weight_kl": "0"},
    "auxiliary": {"model.auxiliary": "false"},
    "cutmix": {"row.student.teacher": "translation_adaptation"},  # and all use of target labels with it
    "views": {"pseudo_label.views": "1", "student.consistency_views": "1"},
    "threshold": {"pseudo_label.threshold": "0"},
    "consistency": {"student.weight_consistency": "0"},
    "later-rounds": {"row.student.rounds": "1"},
    "class-shares": {"pseudo_label.min_class_fraction": "0"},
    "class-balance": {"student.class_weight_power": "0"},
    "mixed-pseudo-labels": {"student.cutmix_pseudo": "false"},
}


def main(arguments: Sequence[str]) -> None:
    flags = studies.Flags(__doc__.splitlines()[0], arguments)
    studies.set_up()
    config = configs.override(configs.load(flags.config), flags.overrides)
    config = configs.override(config, {"rows": configs.base_config().rows})
    studies.claim(config, RunDir(flags.workdir), "an ablation")
    print("\n".join(list(markdown(config, flags))))


def markdown(config: ConfigDict, flags: studies.Flags) -> Iterator[str]:
    """The three tables, line by line."""
    full = {seed: RunDir(flags.workdir / f"seed-{seed}" / "full") for seed in flags.seeds}
    config_of = {seed: study.seeded(config, seed) for seed in flags.seeds}
    without = dict(ingredients(config_of[flags.seeds[0]]))  # checked before anything is trained
    of_seeds = [study.done((config_of[seed], run_dir), flags.taken_from) for seed, run_dir in full.items()]
    yield from _rows_over_seeds(config_of, full, of_seeds, flags)
    yield from _ingredients_taken_out(config_of[flags.seeds[0]], without, of_seeds[0], flags)
    if rows.has_labels(config):
        yield from _supervised_on_each_domain(config_of, full, of_seeds)


def ingredients(config: ConfigDict) -> Iterator[tuple[str, dict[str, str]]]:
    """The ingredients that a config has, each with the keys that take it out."""
    for name, changes in INGREDIENTS.items():
        changed = configs.override(config, changes)
        if configs.differences(config, changed):
            rows.rows(changed)
            yield name, changes


def _rows_over_seeds(
    config_of: dict[int, ConfigDict], full: dict[int, RunDir], of_seeds: list[list[Scores]], flags: studies.Flags
) -> Iterator[str]:
    yield from ("Runs:", "")
    for seed, run_dir in full.items():
        yield f"    {studies.command(flags.config, config_of[seed], flags.overrides, {}, run_dir)}"
    first = flags.seeds[0]
    yield from ("", f"| row | mIoU, seeds {', '.join(map(str, flags.seeds))} | command |", "|---|---:|---|")
    for scores in zip(*of_seeds, strict=True):
        row = rows.named(config_of[first], scores[0].name)
        yield f"| {row.name} | {over(scores)} | `bin/udas {row.command} --workdir={full[first].path}` |"


def _ingredients_taken_out(
    config: ConfigDict, without: dict[str, dict[str, str]], full: list[Scores], flags: studies.Flags
) -> Iterator[str]:
    whole = study.last_scores(config, full).miou
    yield from ("", f"| taken out, seed {config.seed} | mIoU | difference | command |", "|---|---:|---:|---|")
    yield f"| nothing | {shown(spread([whole]))} | | |"
    runs = [
        (
            study.only_last(configs.override(config, changes)),
            RunDir(flags.workdir / f"seed-{config.seed}" / f"without-{name}"),
        )
        for name, changes in without.items()
    ]
    of_runs = study.side_by_side(runs, flags.taken_from)
    for (name, changes), (changed, run_dir), scores in zip(without.items(), runs, of_runs, strict=True):
        score = study.last_scores(changed, scores).miou
        difference = round(100 * (score - whole), 1) + 0.0  # never -0.0
        typed = studies.command(flags.config, changed, flags.overrides, changes, run_dir)
        yield f"| {name} | {shown(spread([score]))} | {difference:+.1f} | `{typed}` |"


def _supervised_on_each_domain(
    config_of: dict[int, ConfigDict], full: dict[int, RunDir], of_seeds: list[list[Scores]]
) -> Iterator[str]:
    yield from ("", "| the row supervised, on | mIoU | command |", "|---|---:|---|")
    scores = {
        on: [_supervised_on(config_of[seed], run_dir, on) for seed, run_dir in full.items()]
        for on in (SOURCE, TRANSLATED)
    }
    scores[TARGET] = [next(one for one in of_seed if one.name == study.SUPERVISED) for of_seed in of_seeds]
    first = next(iter(full.values())).path
    for on, of_set in scores.items():
        yield f"| {on} | {over(of_set)} | `bin/udas evaluate --stage=supervised --on={on} --workdir={first}` |"


def _supervised_on(config: ConfigDict, run_dir: RunDir, on: str) -> Scores:
    """The scores of the row supervised on SOURCE or TRANSLATED, measured unless that is done."""
    file = scores_path(run_dir, study.SUPERVISED, on, "none", "training")
    if file.is_file():
        return typed_json.read(file, Scores)
    return evaluate(open_run(config, run_dir), study.SUPERVISED, on)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"ablation: {error}")
