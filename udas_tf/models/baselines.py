"""The paper's supervised baselines on ResNet-50, with one classifier each: FCN and DeepLab v3+."""

import keras
import tensorflow as tf
from keras import initializers, layers

from udas_tf.errors import UserError
from udas_tf.models.deeplab_v2 import features
from udas_tf.models.generators import CropLike
from udas_tf.models.layers import ChannelDropout, Conv2D, GroupNorm, SymmetricConv2D

# --- FCN ----------------------------------------------------------------------------------------------------


def fcn(num_classes=19, backbone="resnet50", dropout=0.1, output_stride=8, **backbone_options) -> keras.Model:
    """FCN on a dilated ResNet [Long et al. 2015, with the dilations of DeepLab]: a 3x3 convolution to a
    quarter of the channels, and a 1x1 convolution to the classes.

    The head is torchvision's fcn_resnet50 without its auxiliary one; group norm takes the place of its batch
    norm, since batches are small here and no statistic is to cross images.

    Args:
        num_classes: C.
        backbone, output_stride, **backbone_options: as `deeplab_v2.build`'s.
        dropout: rate at which channels before the last convolution are zeroed in training.

    Returns:
        Functional model. Input: RGB [batch, height, width, 3] of any size, uint8 or float, in 0..255. Output:
        `{"primary": ...}`, float32 logits as `deeplab_v2.build`'s.

    Raises:
        UserError: for an unknown backbone or another output stride.
    """
    images = keras.Input((None, None, 3), name="images", dtype="float32")
    x = features(images, backbone, output_stride, **backbone_options)["primary"]
    convolution = SymmetricConv2D(
        x.shape[-1] // 4,
        3,
        use_bias=False,
        kernel_initializer=initializers.HeNormal(),
        name="primary_classifier_conv",
    )
    x = GroupNorm(name="primary_classifier_norm")(convolution(x))
    x = layers.ReLU(name="primary_classifier_relu")(x)
    x = ChannelDropout(dropout, name="primary_classifier_dropout")(x)
    x = Conv2D(num_classes, 1, kernel_initializer=_normal(), name="primary_classifier_head")(x)
    logits = {"primary": layers.Activation("linear", dtype="float32", name="primary")(x)}
    return keras.Model(images, logits, name="fcn")


# --- DeepLab v3+, keras-cv's --------------------------------------------------------------------------------

STRIDE = 32  # of the encoder: keras-cv's decoder enlarges its features 8 times, to those at stride 4


def deeplab_v3_plus(num_classes=19, blocks=(3, 4, 6, 3), width=64) -> keras.Model:
    """keras-cv's DeepLabV3Plus on its ResNetBackbone, with logits rather than probabilities.

    The classes' 1x1 convolution comes before the last, fourfold enlargement instead of after it: the two
    commute, and a sixteenth of the pixels is left to convolve. Images are padded at the bottom and right to
    multiples of 32 and the logits cropped. Batch norm is keras-cv's own and learns: unlike the other
    networks' normalisation its statistics are those of a batch, on every replica by itself.

    Args:
        num_classes: C.
        blocks: of each of the backbone's four stages; ResNet-50's by default.
        width: filters of its first stage.

    Returns:
        Functional model. Input: RGB [batch, height, width, 3] of any size, uint8 or float, in 0..255. Output:
        `{"primary": ...}`, float32 logits [batch, height, width, C], enlarged by keras-cv's rule (bilinear,
        outer edges on outer edges).

    Raises:
        UserError: when keras-cv is not installed.
    """
    keras_cv = _keras_cv()
    # The plain class: ResNet50Backbone and the like ask a hub for presets even when weights are random.
    backbone = keras_cv.models.ResNetBackbone(
        stackwise_filters=[width * 2**stage for stage in range(4)],
        stackwise_blocks=list(blocks),
        stackwise_strides=[1, 2, 2, 2],
        include_rescaling=True,
        input_shape=(None, None, 3),
    )
    head = keras.Sequential(
        [
            layers.Conv2D(256, 1, use_bias=False, name="segmentation_head_conv"),
            layers.BatchNormalization(name="segmentation_head_norm"),
            layers.ReLU(name="segmentation_head_relu"),
            layers.Conv2D(num_classes, 1, use_bias=False, dtype="float32", name="segmentation_output"),
        ],
        name="primary_classifier_head",
    )
    network = keras_cv.models.DeepLabV3Plus(
        backbone=backbone, num_classes=num_classes, segmentation_head=head
    )
    # From here on as DeepLabV3Plus goes on, but for its UpSampling2D, which takes no images of unknown size.
    enlarged = network.get_layer("encoder_output_upsampling")
    projected = network.layers[-2].input[1]
    encoder = keras.Model(network.input, {"coarse": enlarged.input, "fine": projected}, name="encoder")
    images = keras.Input((None, None, 3), name="images", dtype="float32")
    padded = PadToMultiple(STRIDE, dtype="float32", name="pad")(images)
    maps = encoder(padded)
    coarse = ResizeLike(name="coarse")([maps["coarse"], maps["fine"]])
    logits = head(layers.Concatenate(name="decoder")([coarse, maps["fine"]]))
    logits = ResizeLike(dtype="float32", name="enlarged")([logits, padded])
    logits = CropLike(dtype="float32", name="primary")([logits, images])
    return keras.Model(images, {"primary": logits}, name="deeplab_v3_plus")


def _keras_cv():
    try:
        import keras_cv
    except ModuleNotFoundError as error:
        if error.name != "keras_cv":
            raise
        raise UserError(
            "the network deeplab_v3_plus needs keras-cv, which is not installed; run: "
            "pip install 'udas_tf[baselines]'"
        ) from error
    return keras_cv


@keras.saving.register_keras_serializable(package="udas_tf")
class ResizeLike(layers.Layer):
    """The first of two inputs at the height and width of the second: bilinear, outer edges on outer edges."""

    def call(self, inputs):
        features, reference = inputs
        return tf.cast(tf.image.resize(features, tf.shape(reference)[1:3]), features.dtype)

    def compute_output_shape(self, input_shape):
        features, reference = input_shape
        return (*reference[:3], features[3])


@keras.saving.register_keras_serializable(package="udas_tf")
class PadToMultiple(layers.Layer):
    """Repeats the last row and column until `multiple` divides height and width."""

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, inputs):
        for axis in (1, 2):
            size = inputs.shape[axis] or tf.shape(inputs)[axis]
            last = tf.gather(inputs, [size - 1], axis=axis)
            inputs = tf.concat([inputs, tf.repeat(last, -size % self.multiple, axis=axis)], axis)
        return inputs

    def compute_output_shape(self, input_shape):
        batch, *sizes, channels = input_shape
        return (batch, *(size and size + -size % self.multiple for size in sizes), channels)

    def get_config(self):
        return super().get_config() | {"multiple": self.multiple}


def _normal():
    return initializers.RandomNormal(stddev=0.01)
