"""Which classes a run can learn: those that its source or its label budget shows, by the counts of the manifests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from udas_tf.data.gap.findings import NAMED, Finding


def findings(classes: Sequence[str], source: Sequence[int], labelled: Sequence[int], budget: int) -> list[Finding]:
    """Warnings of classes without examples.

    Args:
      classes: names in the order of their train ids.
      source, labelled: pixels by train id, in the labels of the source and in those of the budget.
      budget: labelled target images; with 0 nothing is known of the target's classes.
    """
    if not budget:
        return []
    here, there = np.array(source)[: len(classes)] > 0, np.array(labelled)[: len(classes)] > 0
    found = []
    if (there & ~here).any():
        found.append(
            Finding(
                "absent_in_source",
                f"labelled target images show {_named(classes, there & ~here)}, and no source image does: no "
                "translation will teach it",
                "label more target images that show it (data.target.labelled), or add it to the simulator",
            )
        )
    if not there.all():
        known = f", of which the source shows {_named(classes, here & ~there)}" if (here & ~there).any() else ""
        found.append(
            Finding(
                "absent_in_budget",
                f"the {budget} labelled target images show {there.sum()} of the {len(classes)} classes, and not "
                f"{_named(classes, ~there)}{known}",
                "raise data.target.labelled, or label images that show them; a class that neither domain has is best "
                "left out of config.classes",
            )
        )
    return found


def _named(classes: Sequence[str], which: np.ndarray) -> str:
    names = [name for name, named in zip(classes, which, strict=True) if named]
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
