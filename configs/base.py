"""Every key of udas_tf, its default and its unit.

The defaults are the paper's setting (GTA5 -> Cityscapes at 640x360, DeepLab v2 on ResNet-101); where the paper is
silent they are those of the official code it builds on (AdaptSegNet, Seg-Uncertainty, CycleGAN).
Other configs start from here: `from udas_tf.config import base_config`.
Keys are overridden on the command line as `--config.uda.learning_rate=1e-4`.
"""

from ml_collections import ConfigDict


def segmenter_training() -> ConfigDict:
    """What every training of a segmenter has: length, batch, optimiser, augmentation, bookkeeping."""
    section = ConfigDict()
    section.steps = 120_000  # optimiser steps, a multiple of log_every
    section.schedule_steps = 250_000  # steps in which the poly schedule reaches 0; at least `steps`
    section.precision = ""  # what this training computes in; "" = `precision` of the config
    section.batch_size = 2  # images of each domain a step, over all replicas
    section.optimizer = "sgd"  # "sgd" (momentum, L2 decay in the gradient, as PyTorch's) or "adamw"
    section.learning_rate = 2.5e-4  # of the backbone at step 0
    section.poly_power = 0.9  # learning rate = learning_rate * (1 - step / schedule_steps) ** poly_power
    section.momentum = 0.9  # of SGD
    section.weight_decay = 5e-4  # of all trainable variables
    section.classifier_factor = 10.0  # learning rate of the classifiers / that of the backbone
    section.lambda_seg = 0.1  # weight of the auxiliary classifier's segmentation loss
    section.augment = "flip"  # "none", "flip" (left-right) or "auto" (flip, then AutoAugment)
    section.auto_share = 1.0  # fraction of images that "auto" sends through AutoAugment, not only flips
    section.scale = (1.0, 1.0)  # labelled images are enlarged by a random factor between, and cropped back
    section.log_every = 100  # steps between two lines of TensorBoard scalars
    section.checkpoint_every = 2_000  # steps between two checkpoints to resume from; a multiple of log_every
    return section


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0  # of every random draw: data, initial weights, augmentation
    config.precision = "float32"  # "float32", "mixed_bfloat16" or "mixed_float16"
    # Devices that share a batch: N = so many; 0 = each stage takes the most GPUs that share its batch evenly, or the CPU
    # where there is none
    config.replicas = 0
    # XLA compiles whole training steps, for one device; pieces of a step, and augmentation, it compiles in any case. On a GPU
    # a step then takes half the time, once two minutes have gone into compiling it; on CPUs it takes longer
    # (docs/performance.md)
    config.xla = False
    # Trainings that `run` has going at a time on a CPU, each a process with its share of the cores, where what they read is
    # there; small networks use several cores badly. On GPUs it is one
    config.jobs = 1
    config.rows = (  # of the table, which `run` trains; students come with student.rounds
        *("no_adaptation", "translation", "adaptation", "translation_adaptation", "cutmix", "supervised"),
    )
    # Class set: "cityscapes" (19), "camvid" (11; data of the nineteen are mapped to them) or a classes.yaml of one's own
    config.classes = "cityscapes"

    config.data = ConfigDict()
    config.data.size = (360, 640)  # height, width of every record, pixels
    config.data.shard_images = 256  # images a TFRecord shard
    config.data.cache = False  # keep decoded records in memory: small sets only
    config.data.shuffle_images = 1_000  # size of the shuffle buffer, images
    # t: a labelled image comes sqrt(t / share) times a pass over its set, where share is the fraction of the set's
    # images that show the rarest class it shows, and once where that is more than t; 0 = every image once
    config.data.repeat_below = 0.0
    config.data.source = ConfigDict()
    # The simulator's data set: "streets" (drawn, needs no root), "gta5", "synthia", "cityscapes", "camvid", "folder"
    # (one's own) or "records" (what `data prepare --dataset` wrote)
    config.data.source.dataset = "streets"
    config.data.source.root = ""  # where it lies; see `data prepare --help` for the layouts
    # Of Streets: "sim", "real", "game" (worth training on for photographs), or one with parts of others: "sim+game_look"
    config.data.source.domain = "sim"
    config.data.source.images = 2_000  # images of its training split, the first; 0 = all
    config.data.target = ConfigDict()
    config.data.target.dataset = "streets"  # the camera's data set, as the simulator's
    config.data.target.root = ""
    config.data.target.images = 500  # images of its training split, the first; 0 = all
    config.data.target.extra = False  # adds the images of its split train_extra to the unlabelled ones
    config.data.target.labelled = 100  # the label budget: images that may be seen with their labels; -1 = all
    # Which images these are: -1 = the first ones; from 0, the first of a random order with this seed, so that those of
    # a smaller budget are among those of a larger one
    config.data.target.label_seed = -1
    # What scores are reported on: its split of this name; or "train_tail", the last labelled images of its training
    # split, which is then without them: to choose settings on
    config.data.target.val = "val"
    config.data.target.val_images = 100  # images of that; 0 = all, not of "train_tail"
    # Height, width of their labels for `evaluate --resolution=full`, such as 1024,2048 for Cityscapes; (0, 0) = none
    config.data.target.val_full_size = (0, 0)

    config.model = ConfigDict()
    # "deeplab_v2", "seg_uncertainty" (its classifiers on the same backbones), or on ResNet-50 "fcn" or
    # "deeplab_v3_plus" (keras-cv's: pip install 'udas_tf[baselines]')
    config.model.network = "deeplab_v2"
    # "resnet101", "resnet50", "efficientnet_lite0" or "compact"; the first two networks only
    config.model.backbone = "resnet101"
    config.model.output_stride = 8  # 8 or 16 pixels from one logit to the next; not of deeplab_v3_plus
    config.model.auxiliary = True  # the auxiliary classifier; the first two networks only
    config.model.width = 64  # filters of the first stage; the compact backbone only
    config.model.blocks = (2, 2, 2, 2)  # two-convolution blocks of each stage; the compact backbone only
    config.model.aspp_rates = (6, 12, 18, 24)  # dilations; (6, 12) reproduces the published AdaptSegNet code
    config.model.squeeze_excite = True  # weighs the branches' channels; seg_uncertainty only
    config.model.dropout = 0.1  # share of the classifiers' channels zeroed; seg_uncertainty and fcn only
    # Training computes the backbone's blocks twice instead of keeping what is in them (gradient checkpointing): a
    # third more arithmetic, a fraction of the memory; not of deeplab_v3_plus
    config.model.recompute = False
    config.model.initial_weights = ""  # .weights.h5 file the segmenter starts from; "" = random

    config.source = segmenter_training()  # rows no_adaptation and translation
    config.supervised = segmenter_training()  # the labelled target images alone
    config.supervised.augment = "auto"

    config.translate = ConfigDict()  # CycleGAN
    config.translate.steps = 200_000  # a multiple of log_every
    config.translate.batch_size = 1  # images of each domain, over all replicas: 1 trains on one GPU
    config.translate.crop = (256, 256)  # height, width of the training crops, pixels; (0, 0) = whole images
    config.translate.width = 64  # filters of the generators' first convolution
    config.translate.blocks = 9  # residual blocks of a generator
    # How a generator doubles its maps: "transposed" convolutions, or "resize", which leaves no checkerboard
    config.translate.upsampling = "transposed"
    # A generator adds to its image what is to change, where the paper's draws all of it: short trainings keep the scene
    config.translate.residual = False
    config.translate.discriminator_width = 64
    config.translate.discriminator_layers = 3  # 3 = the 70x70 PatchGAN
    config.translate.learning_rate = 2e-4  # Adam, both pairs of networks
    config.translate.beta_1 = 0.5
    config.translate.decay_from = 0.5  # fraction of the steps after which the rate falls linearly to 0
    config.translate.lambda_cyc = 10.0  # weight of the cycle reconstruction
    config.translate.lambda_identity = 5.0  # weight of the identity loss; 0 switches it off
    # Weight of the semantic consistency of CyCADA: the network of the row no_adaptation is to see the same classes in a
    # translated image as before; 0 switches it off
    config.translate.weight_semantic = 0.0
    # Fraction of an image's labelled pixels that the network of the row no_adaptation may see as another class once it is
    # translated: 0 = nobody looks; 1 = it is measured and reported, and every image passes
    config.translate.max_disagreement = 0.0
    config.translate.on_disagreement = "keep_source"  # what happens to the others: untranslated, or "drop"
    config.translate.pool_size = 50  # earlier translations kept to train each discriminator
    config.translate.log_every = 100
    config.translate.checkpoint_every = 2_000

    config.uda = segmenter_training()  # rows adaptation, translation_adaptation and cutmix
    config.uda.start_from = (
        ""  # "" = model.initial_weights; "source" = the network trained on the same source
    )
    config.uda.augment_mixed = "auto"  # augmentation of the Domain CutMix batch
    config.uda.adversarial_loss = "bce"  # "bce" or "least_squares"
    # What the discriminators see: "softmax", "self_information" (AdvEnt) or "features", which the classifiers read
    config.uda.adversary = "softmax"
    config.uda.discriminator = "fully_convolutional"  # "multi_scale", or "pixelwise" (CyCADA's, for features)
    # Filters of the first convolution; the multi-scale one's own is 32, the pixelwise one's 512
    config.uda.discriminator_width = 64
    # "adam" (0.9, 0.99), or "sgd" with the segmenter's momentum and weight decay
    config.uda.discriminator_optimizer = "adam"
    config.uda.discriminator_learning_rate = 1e-4  # poly schedule as the segmenter's
    config.uda.weight_adv_primary = 1e-3  # weight of L_adv^p; 0 = no such discriminator
    config.uda.weight_adv_auxiliary = 2e-4  # weight of L_adv^a; lambda_adv is the ratio of the two, 0.2
    # L_adv counts while the discriminators are right on more than this share of their scores, over some 100 steps
    config.uda.adversary_above = 0.0
    config.uda.weight_entropy_primary = 0.0  # weight of L_ent^p, the classifier's entropy on target (MinEnt)
    config.uda.weight_entropy_auxiliary = 0.0  # weight of L_ent^a
    config.uda.weight_kl = 0.1  # weight of L_kl
    config.uda.kl = "symmetric"  # each classifier towards the other; "memory": both towards their fixed mean
    config.uda.kl_warmup = 0.15  # fraction of the steps before L_kl is switched on

    config.pseudo_label = ConfigDict()
    config.pseudo_label.views = 3  # K
    config.pseudo_label.threshold = 0.6  # pixels below this confidence become 255 when the student reads them
    config.pseudo_label.class_share = (
        0.0  # of a class's pixels kept at least, by a lower threshold for that class
    )
    config.pseudo_label.wanted_precision = (
        0.9  # on the labelled images; the audit suggests the threshold for it
    )
    config.pseudo_label.batch_size = 4  # images

    config.student = segmenter_training()
    config.student.rounds = 3  # R; `train --stage=student --round=N` may go beyond
    config.student.teacher = (
        ""  # row that labels round 1; "" = cutmix, without target labels translation_adaptation
    )
    config.student.stop_rule = (
        False  # no further round once one makes the pseudo-labels worse (stages/health.py)
    )
    config.student.start_from = ""  # "" = model.initial_weights; "teacher" = the weights of its teacher
    config.student.augment_mixed = "auto"  # augmentation of the Domain CutMix batch
    config.student.augment_pseudo = "auto"  # augmentation of the pseudo-labelled batch
    config.student.mix_pseudo = (
        False  # Domain CutMix also puts boxes of the labelled batch into the pseudo-labelled one
    )
    config.student.class_balance = (
        0.0  # b: pixels of a class weigh (1 / its share) ** b in L_pseudo; 0 = all alike
    )
    config.student.weight_labelled = 1.0  # weight of the labelled images' segmentation loss, source and mixed
    # Pseudo-labels count less where the two classifiers disagree (Seg-Uncertainty)
    config.student.rectify = False
    config.student.weight_pseudo = 1.0  # weight of the pseudo-labelled images' segmentation loss
    config.student.weight_consistency = 0.1  # weight of KL(teacher || student) on labelled pixels
    config.student.consistency_views = 3  # K of the teacher's maximum-confidence distribution in that term

    config.evaluate = ConfigDict()
    config.evaluate.batch_size = 4  # images
    # Steps of a training between two scores on the validation set, a multiple of log_every; 0 = at its end alone. The
    # score of a row stays the last one
    config.evaluate.every = 0
    return config
