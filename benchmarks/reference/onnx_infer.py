"""Classes and confidences of one image by ONNX Runtime, in float32, from PyTorch's export. Needs onnx."""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime
import torch

from benchmarks.reference import networks
from udas_tf.bench import fixtures
from udas_tf.bench.measuring import Measured, peak_memory, timed
from udas_tf.bench.workloads import Scale


class Predictor(torch.nn.Module):
    def __init__(self, network: networks.DeepLab):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network.predict(images.permute(0, 3, 1, 2).float())


def measure(scale: Scale, directory: Path) -> Measured:
    path = directory / "reference.onnx"
    pictures = fixtures.pictures(1, scale.size)
    if not path.is_file():
        predictor = Predictor(networks.DeepLab(scale.backbone, scale.width)).eval()
        torch.onnx.export(predictor, (torch.from_numpy(pictures),), str(path), input_names=["images"], dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    seconds = timed(lambda: session.run(None, {"images": pictures}), 1, scale.seconds)
    return Measured(seconds, {}, peak_memory())
