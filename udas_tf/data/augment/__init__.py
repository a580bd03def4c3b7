"""Augmentation of whole batches inside the graph: views of images, AutoAugment, Domain CutMix, affine maps."""
