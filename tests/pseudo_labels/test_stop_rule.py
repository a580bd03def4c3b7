import pytest

from udas_tf import typed_json
from udas_tf.pseudo_labels.audit import Audit, Kept, Score
from udas_tf.pseudo_labels.stop_rule import stop_reason
from udas_tf.run_dir import RunDir


@pytest.fixture
def run_dir(tmp_path):
    return RunDir(tmp_path)


def names(count):
    return [f"student_{number}" for number in range(1, count + 1)]


def audited(run_dir, *scores):
    """Audits of student_1, student_2 and so on with these scores, (what, value) or None."""
    for number, score in enumerate(scores, start=1):
        result = Audit(
            row=f"student_{number}",
            round=number,
            threshold=0.6,
            kept=Kept(None, {}, {}),
            fixed=None,
            calibration={},
            agreement=None,
            suggestion=None,
            score=score and Score(*score),
            warnings=[],
        )
        typed_json.write(run_dir.audit(result.row), result)


def test_the_rounds_stop_before_the_first_that_is_worse(run_dir):
    audited(run_dir, ("mIoU", 0.5), ("mIoU", 0.6), ("mIoU", 0.55), ("mIoU", 0.7))
    stopped = [bool(stop_reason(run_dir, names(count))) for count in range(6)]
    assert stopped == [False, False, False, True, True, True]
    reason = stop_reason(run_dir, names(3))
    assert reason == stop_reason(run_dir, names(9))
    assert reason == (
        "the rounds stop before student_3: the pseudo-labels for student_3 have a lower mIoU than those for student_2, "
        "55.00 % after 60.00 %; use student_2 or its teacher, whichever scores higher, or set student.stop_rule=false "
        "to go on"
    )


def test_a_score_without_a_value_is_the_lowest(run_dir):
    audited(run_dir, ("mIoU", 0.5), ("mIoU", None))
    assert "0.00 % after 50.00 %" in stop_reason(run_dir, names(2))


@pytest.mark.parametrize(
    "scores",
    [
        [("mIoU", 0.5), ("mIoU", 0.5)],
        [("mIoU", 0.5), ("agreement", 0.4)],  # other labels than before: nothing to compare
        [None, ("mIoU", 0.4)],
        [("mIoU", None), ("mIoU", None)],
        [("mIoU", 0.5)],
        [],
    ],
)
def test_the_rounds_go_on_otherwise(run_dir, scores):
    audited(run_dir, *scores)
    assert stop_reason(run_dir, names(3)) is None
