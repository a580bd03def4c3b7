"""Shows what the records of a run hold: class shares and a mosaic of images and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from udas_tf.data import pipeline, records
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.stages import networks
from udas_tf.stages.data import SETS


def inspect(config, run_dir: RunDir, output: str | None = None) -> None:
    """Verifies the checksums of a run's sets, prints their class shares, writes a mosaic PNG of images and labels."""
    finished = [name for name in SETS if is_finished(run_dir.data(name))]
    if not finished:
        raise UserError(
            f"{run_dir.path} has no records; run first: bin/udas data prepare --workdir={run_dir.path}"
        )
    classes = networks.class_set(config)
    manifests = {}
    for name in finished:
        records.verify(run_dir.data(name))
        manifests[name] = records.read_manifest(run_dir.data(name))
    print(class_shares(manifests, classes.classes))
    path = Path(output) if output else run_dir.path / "data" / "mosaic.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    labelled = [name for name in finished if manifests[name]["with_label"]]
    rows = [np.concatenate(_pairs(run_dir.data(name), classes.palette()), axis=1) for name in labelled]
    Image.fromarray(np.concatenate(rows)).save(path)
    print(f"{', '.join(labelled)} from top to bottom: {path}")


def class_shares(manifests: dict[str, dict], classes: tuple[str, ...]) -> str:
    """A table of the per cent of labelled pixels of each class, a column for each set."""
    shares = {}
    for name, manifest in manifests.items():
        pixels = np.array(manifest["class_pixels"][: len(classes)], float)
        shares[name] = 100.0 * pixels / max(pixels.sum(), 1.0)
    width = max(map(len, classes))
    lines = [" " * width + "".join(f"  {name:>18}" for name in manifests)]
    lines.append(f"{'images':{width}}" + "".join(f"  {m['count']:18d}" for m in manifests.values()))
    for number, name in enumerate(classes):
        lines.append(f"{name:{width}}" + "".join(f"  {share[number]:16.2f} %" for share in shares.values()))
    return "\n".join(lines)


def _pairs(directory: Path, palette: np.ndarray, count: int = 4) -> list[np.ndarray]:
    """The first images of a set, each above its label: uint8 [2H, W, 3]."""
    batches, _ = pipeline.evaluation(directory, count, ("image", "label"))
    batch = next(batches.as_numpy_iterator())
    pairs = [
        np.concatenate([image, palette[label]])
        for image, label in zip(batch["image"], batch["label"], strict=True)
    ]
    height, width = pairs[0].shape[:2]
    blank = np.zeros((height, width, 3), np.uint8)
    return pairs + [blank] * (count - len(pairs))
