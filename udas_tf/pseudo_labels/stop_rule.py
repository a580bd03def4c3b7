"""The stop rule: rounds of students end before the first one whose pseudo-labels are worse than the last one's."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from udas_tf.pseudo_labels import audit
from udas_tf.pseudo_labels.audit import per_cent
from udas_tf.run_dir import RunDir


def stop_reason(run_dir: RunDir, rounds: Sequence[str]) -> str | None:
    """Why the last of some rounds should not be trained.

    The rule compares the scores of the audits (`audit.score`) of each round and the one before.

    Args:
      run_dir: of the run.
      rounds: names of the rows of round 1, 2 and so on, up to the round in question.

    Returns:
      One line that says what got worse and what to do; None where no round is worse than the one before, or where an
      audit is missing.
    """
    audits = [audit.read(run_dir, name) for name in rounds]
    for before, now in itertools.pairwise(audits):
        if before is None or now is None:
            return None
        if before.score and now.score and _is_worse(before.score, now.score):
            return (
                f"the rounds stop before {now.row}: the pseudo-labels for {now.row} have a lower {now.score.what} than "
                f"those for {before.row}, {per_cent(now.score.value or 0.0)} after "
                f"{per_cent(before.score.value or 0.0)}; use {before.row} or its teacher, whichever scores higher, or "
                "set student.stop_rule=false to go on"
            )
    return None


def _is_worse(before: audit.Score, now: audit.Score) -> bool:
    return before.what == now.what and (now.value or 0.0) < (before.value or 0.0)
