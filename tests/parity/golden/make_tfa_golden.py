"""Makes tfa_golden.npz: what TensorFlow Addons 0.23 does to two small images and to a feature map.

TensorFlow Addons is no longer developed and needs a TensorFlow that this project no longer runs with, so this
script has an environment of its own (Python 3.9 to 3.11):

    python3.11 -m venv /tmp/tfa
    /tmp/tfa/bin/pip install tensorflow-cpu==2.15.1 tensorflow-addons==0.23.0
    /tmp/tfa/bin/python tests/parity/golden/make_tfa_golden.py

Everything in the file comes from it: the inputs, the magnitudes and the results. It is the same, bit for bit,
whenever it is made on the same kind of machine.
"""

import pathlib

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

HEIGHT, WIDTH = 37, 52
FILL = 128
DEGREES = (-30.0, -20.0, -3.3333333, 10.0, 26.6666667, 30.0)
SLOPES = (-0.3, -0.1, 0.0333333, 0.1666667, 0.3)
PIXELS = (-20, -7, 1, 13)
FACTORS = (0.1, 0.5, 0.9, 1.0, 1.3, 1.7, 1.9)
EPSILON = 1e-3  # the layer's default


def street() -> np.ndarray:
    """A shaded image with edges, as a photograph has: uint8 [HEIGHT, WIDTH, 3]."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] / 60
    waves = [90 + 70 * np.sin(3 * rows + k) * np.cos(4 * columns - k) for k in range(3)]
    image = np.stack(waves, -1)
    image[20:, 8:40] = image[20:, 8:40] * 0.3 + 40
    image[4:13, 33:37] = (250, 240, 10)
    return image.astype(np.uint8)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def per_image(operation, images) -> np.ndarray:
    return np.stack([operation(tf.constant(image)).numpy() for image in images])


def main():
    images = np.stack([street(), noise()])
    golden = {
        "images": images,
        "degrees": np.float32(DEGREES),
        "slopes": np.float32(SLOPES),
        "pixels": np.int32(PIXELS),
        "factors": np.float32(FACTORS),
        "epsilon": np.float32(EPSILON),
        "fill": np.int32(FILL),
    }
    golden["rotate"] = np.stack(
        [
            per_image(lambda x, a=a: tfa.image.rotate(x, np.deg2rad(a), fill_value=float(FILL)), images)
            for a in DEGREES
        ]
    )
    replace = [FILL] * 3
    for name, shear in (("shear_x", tfa.image.shear_x), ("shear_y", tfa.image.shear_y)):
        golden[name] = np.stack([per_image(lambda x, s=s, f=shear: f(x, s, replace), images) for s in SLOPES])
    for name, axis in (("translate_x", 0), ("translate_y", 1)):
        moves = [[pixels * (axis == i) for i in range(2)] for pixels in PIXELS]
        golden[name] = np.stack(
            [
                per_image(lambda x, m=m: tfa.image.translate_xy(x, [float(v) for v in m], replace), images)
                for m in moves
            ]
        )
    golden["equalize"] = per_image(tfa.image.equalize, images)
    golden["sharpness"] = np.stack(
        [per_image(lambda x, f=f: tfa.image.sharpness(x, f), images) for f in FACTORS]
    )
    rng = np.random.default_rng(1)
    golden["features"] = rng.normal(3.0, 20.0, (2, 17, 23, 6)).astype(np.float32)
    golden["gamma"] = rng.normal(1.0, 0.3, 6).astype(np.float32)
    golden["beta"] = rng.normal(0.0, 5.0, 6).astype(np.float32)
    layer = tfa.layers.InstanceNormalization(epsilon=EPSILON)
    layer.build(golden["features"].shape)
    layer.set_weights([golden["gamma"], golden["beta"]])
    golden["instance_norm"] = layer(golden["features"]).numpy()
    path = pathlib.Path(__file__).with_name("tfa_golden.npz")
    np.savez_compressed(path, **golden)
    print(path, path.stat().st_size, "bytes;", "TensorFlow", tf.__version__, "Addons", tfa.__version__)


if __name__ == "__main__":
    main()
