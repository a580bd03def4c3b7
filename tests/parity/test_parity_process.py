"""PyTorch and TensorFlow never meet in one process."""

import keras  # as every comparison does
import torch_process

LIBRARIES = ("torch", "keras", "tensorflow")


def test_pytorch_has_a_process_of_its_own(pytorch):
    pytorch("torch_losses.gradients", "gan", [1.0], real=0.0)
    assert pytorch("torch_process.loaded", *LIBRARIES) == {"torch"}
    assert torch_process.loaded(*LIBRARIES) == {"keras", "tensorflow"}, keras.backend.backend()
