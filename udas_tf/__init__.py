"""UDAS in Keras 3 and TensorFlow: simulation to photographs for semantic segmentation."""

__version__ = "0.1.0"
