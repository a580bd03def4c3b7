"""Computations written for speed, apart from the networks: functions of tensors, without variables or Keras.

Each gives what plain TensorFlow gives and is faster at it, on CPUs, on GPUs or on both. `devices.has_gpu()`
decides which way is taken.
"""
