from udas_tf.data.checks import budget

CLASSES = ("road", "sky", "bus", "train")


def found(source, labelled, images=10):
    counts = [[*pixels, *[0] * (256 - len(pixels))] for pixels in (source, labelled)]
    return {finding.kind: finding.text for finding in budget.findings(CLASSES, *counts, images)}


def test_a_budget_that_shows_all_classes_raises_no_warning():
    assert found([5, 5, 5, 5], [1, 1, 1, 1]) == {}


def test_a_budget_with_fewer_classes_says_which_are_missing():
    (text,) = found([5, 5, 5, 0], [9, 9, 0, 0]).values()
    assert text == (
        "the 10 labelled target images show 2 of the 4 classes, and not bus, train, of which the source shows bus"
    )


def test_a_class_of_the_target_without_a_source_is_named():
    texts = found([5, 5, 0, 5], [9, 9, 1, 1])
    assert list(texts) == ["absent_in_source"]
    assert "show bus, and no source image does" in texts["absent_in_source"]


def test_without_labels_nothing_is_known():
    assert found([5, 5, 0, 5], [0, 0, 0, 0], images=0) == {}
