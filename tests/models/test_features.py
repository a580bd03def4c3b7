import pytest

from udas_tf.models.features import block_name


@pytest.mark.parametrize(
    ("layer", "block"),
    [
        ("layer3_0_conv1", "layer3_0"),
        ("layer3_22_relu", "layer3_22"),
        ("block0_depthwise", "block0"),
        ("block12_project", "block12"),
        ("conv1", None),
        ("stem_relu", None),
        ("layer3", None),
        ("block3", None),
        ("primary_classifier_0", None),
    ],
)
def test_the_block_of_a_layer_by_its_name(layer, block):
    assert block_name(layer) == block
