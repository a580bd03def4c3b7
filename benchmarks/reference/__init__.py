"""What the package is compared with: the same work as a good PyTorch user writes it (numpy, Pillow, keras-cv and ONNX
Runtime where these are what it is measured against).

One file a workload, each with `measure(scale, directory, **options)` as those of `udas_tf.bench.tasks`; they share its
sizes, files and clock, and none of its code.
"""
