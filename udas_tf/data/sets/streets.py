"""Streets, the embedded data set: street scenes drawn on the spot, without an end."""

from __future__ import annotations

from udas_tf.data import streets
from udas_tf.data.class_map import provenance_of
from udas_tf.data.class_sets import CITYSCAPES, train_ids
from udas_tf.data.sample import Sample
from udas_tf.data.splits import Request, Split
from udas_tf.errors import UserError

CLASS_SET = "cityscapes"


def open_split(request: Request) -> Split:
    """`request.images` scenes of "train" or "val", of the domain `request.domain`.

    Raises:
      UserError: a domain or a split that Streets does not have, or no images.
    """
    domain, part, seed, size = request.domain, request.split, request.seed, request.size
    streets.domains.find(domain)  # a wrong one is noticed now
    if part not in streets.SPLITS:
        raise UserError(f"streets has no split {part!r}; expected one of {', '.join(streets.SPLITS)}")
    if request.images is None:
        raise UserError(f"streets {domain}/{part} has no end: set the number of images, 1 or more")
    provenance = {"dataset": "streets", "split": f"{domain}/{part}", "seed": seed, "size": list(size)}
    provenance |= provenance_of(request.class_map)
    into = train_ids(CITYSCAPES, request.classes, request.class_map)

    def read(index: int, with_label: bool) -> Sample:
        image, label = request.draw(domain, part, index, seed, size)
        return Sample(f"{domain}_{part}_{index:06d}", image, into[label] if with_label else None, provenance=provenance)

    return Split(request.images, range(request.images), read, provenance)
