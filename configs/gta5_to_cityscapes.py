"""The paper's setting: GTA5 (24,966 images) to Cityscapes (2,975 train, 500 val) at 640x360, DeepLab v2 on ResNet-101.

bin/udas weights import --config=configs/gta5_to_cityscapes.py --from=imagenet --network=segmenter \
    --output=weights/resnet101_imagenet.weights.h5
bin/udas run --config=configs/gta5_to_cityscapes.py --workdir=runs/gta5_to_cityscapes \
    --config.data.source.root=GTA5 --config.data.target.root=CITYSCAPES

`run --dry_run` builds every stage at full size, without data. All 2,975 labels enter through Domain CutMix;
--config.data.target.labelled=100 sets a smaller budget. The paper reports 63.5 mIoU for the last student and 28.5
without adaptation. It trained on two GPUs of 11 GB. Here two GPUs share the segmenter's batches of two, where there are
two; CycleGAN's batch of one stays on one. Hours and scores of this code at this scale are not measured yet.
"""

from ml_collections import ConfigDict

from udas_tf.config import base_config


def get_config() -> ConfigDict:
    config = base_config()  # its defaults are this setting's: sizes, networks, steps, rates and weights
    config.data.source.dataset = "gta5"
    config.data.source.images = None
    config.data.target.dataset = "cityscapes"
    config.data.target.images = None
    config.data.target.extra = True  # the 19,998 images of train_extra, without labels
    config.data.target.labelled = None
    config.data.target.val_images = None
    config.model.initial_weights = "weights/resnet101_imagenet.weights.h5"
    return config
