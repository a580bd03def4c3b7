"""What of the gap between two domains is worth acting upon before anyone trains.

A difference has to be large and also sure to be warned of. Sure are three standard errors (ERRORS; a report
makes some sixty comparisons), for appearance also one deviation between images (EFFECT: of 100 images of one
domain 84 then lie beyond the other's mean), so that two halves of one domain seldom warn. Images count as
independent, which the frames of one video are not. Large are

    SHARES_APART 0.10   of the pixels that would have to change class. A discriminator that gets its wish
                        makes the predicted shares those of the source, and then at least as many target
                        pixels are wrong. Sure is CHANCE = 2 times what chance gives: a sum over classes
                        scatters little.
    SHARE_FACTOR 3      times rarer in the source: three of its images show what one should.
    LEAST_SHARE  0.001  of the labelled pixels. Below it the images that show a class count, not its share.
    FEW_IMAGES   5      labelled target images that show a class: with fewer it is learnt as those objects.
    MOVED        0.08   of the image's height or width, about the most that a class's place deviates between
                        images of one simulator (Streets: 0.01 to 0.07 of the height).
    COLOUR_APART 5      between the mean colours in L*a*b*, twice what is just noticeable.
    FACTOR       1.25   of contrast, saturation or sharpness, about what the images of one camera deviate by
                        (Streets: contrast 0.13, saturation 0.17 and sharpness 0.24 of the mean).
    NOISE_APART  0.2    L*, half a grey level of 8 bits.
    STRETCH      1.05   in width for the same height, half of what lies between GTA5 and Cityscapes, 1.10.
    IGNORED      0.4    of the pixels of labelled images: mostly a class map with holes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from udas_tf.data.gap.distances import Gap, share_error
from udas_tf.data.gap.statistics import Domain
from udas_tf.sizes import size_text

SHARES_APART = 0.10
SHARE_FACTOR = 3.0
LEAST_SHARE = 0.001
FEW_IMAGES = 5
MOVED = 0.08
COLOUR_APART = 5.0
FACTOR = 1.25
NOISE_APART = 0.2
STRETCH = 1.05
IGNORED = 0.4
EFFECT = 1.0
ERRORS = 3.0
CHANCE = 2.0
NAMED = 6  # classes that one warning names


@dataclasses.dataclass(frozen=True)
class Finding:
    """A warning: its kind, what was found, what to do; sentences without a full stop."""

    kind: str
    text: str
    remedy: str


def warnings(source: Domain, target: Domain, gap: Gap) -> list[Finding]:
    """What of a gap is worth acting upon, what hurts most first."""
    findings: list[Finding] = []
    if target.classes is None:
        findings.append(
            Finding(
                "no_target_labels",
                "no set of the target has a label for every image: its class shares and places are unknown, "
                "and so is which classes it lacks",
                "label some target images and set data.target.labelled",
            )
        )
    elif source.classes is not None:
        for check in (_missing, _few, _rare, _shares, _places):
            findings += check(source, target, gap)
    for check in (_colour, _factors, _noise, _sizes, _ignored):
        findings += check(source, target, gap)
    return findings


def per_cent(share: float) -> str:
    """One decimal, or two digits where that would be nothing: "32.1 %", "0.035 %"."""
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else f"{100 * share:.2g} %"


# What the labels tell.


def _missing(source: Domain, target: Domain, gap: Gap) -> Iterator[Finding]:
    here, there = source.classes or {}, target.classes or {}
    lacking = {name: place.share for name, place in there.items() if place.share > 0 == here[name].share}
    if lacking:
        yield Finding(
            "absent_in_source",
            f"{_shares_of(lacking)} of the target's labelled pixels, absent from the source: no translation "
            "will teach it",
            "label more target images that show it (data.target.labelled), or add it to the simulator",
        )
    unseen = {name: place.share for name, place in here.items() if place.share > 0 == there[name].share}
    if unseen:
        yield Finding(
            "absent_in_target",
            f"{_shares_of(unseen)} of the source's labelled pixels, on no labelled target image: translated "
            "images alone can teach what it looks like there",
            "raise data.target.labelled until an image shows it",
        )


def _few(source: Domain, target: Domain, gap: Gap) -> Iterator[Finding]:
    there = target.classes or {}
    images = {name: place.images for name, place in there.items() if 0 < place.images < FEW_IMAGES}
    if images and target.labelled >= FEW_IMAGES:
        named = _listed({f"{name} {count}": 1 / count for name, count in images.items()})
        yield Finding(
            "few_target_images",
            f"few of the {target.labelled} labelled target images looked at show them: {named}",
            "label more images that do (data.target.labelled); pseudo_label.min_class_fraction keeps them in the "
            "pseudo-labels",
        )


def _rare(source: Domain, target: Domain, gap: Gap) -> Iterator[Finding]:
    factors = {}
    classes = target.classes or {}
    for name, here in (source.classes or {}).items():
        there = classes[name]
        rare = there.share >= max(LEAST_SHARE, SHARE_FACTOR * here.share)
        if rare and here.share > 0 and there.share - here.share >= ERRORS * share_error(here, there):
            factors[f"{name} {there.share / here.share:.1f} times"] = there.share / here.share
    if factors:
        yield Finding(
            "rare_in_source",
            f"rarer in the source than in the target: {_listed(factors)}",
            "let the simulator draw more of it, or raise data.target.labelled; if adaptation makes it "
            "vanish, lower uda.weight_adv_primary and uda.weight_adv_auxiliary",
        )


def _shares(source: Domain, target: Domain, gap: Gap) -> Iterator[Finding]:
    if gap.shares is None or gap.shares_by_chance is None:
        return
    if gap.shares >= max(SHARES_APART, CHANCE * gap.shares_by_chance):
        here, there = source.classes or {}, target.classes or {}
        changes = {name: there[name].share - place.share for name, place in here.items()}
        named = _listed({f"{name} {100 * by:+.1f}": by for name, by in changes.items() if abs(by) >= 0.01})
        yield Finding(
            "shares",
            f"class shares: {per_cent(gap.shares)} of the pixels would have to change class (in the target: "
            f"{named}); a discriminator that gets its wish makes at least as many target pixels wrong",
            "keep uda.weight_adv_primary and uda.weight_adv_auxiliary small, and raise "
            "data.target.labelled: Domain CutMix brings the target's shares in",
        )


def _places(source: Domain, target: Domain, gap: Gap) -> Iterator[Finding]:
    moves = {}
    here, there = source.classes or {}, target.classes or {}
    for name, moved in (gap.classes or {}).items():
        both = here[name], there[name]
        if (
            moved is None
            or min(place.images for place in both) < FEW_IMAGES
            or min(p.share for p in both) < LEAST_SHARE
        ):
            continue
        for by, error, before, after in (
            (moved.row, moved.row_error, "of the height higher", "of the height lower"),
            (moved.column, moved.column_error, "of the width further left", "of the width further right"),
        ):
            if abs(by) >= max(MOVED, ERRORS * error):
                moves[f"{name} {100 * abs(by):.0f} % {after if by > 0 else before}"] = by
    if moves:
        yield Finding(
            "places",
            f"places in the target's images against the source's: {_listed(moves)}",
            "discriminators learn such places: set the simulator's camera to the target's height and pitch, "
            "or loosen them by random crops (source.scale_range, uda.scale_range and student.scale_range = 1.0,1.5)",
        )


# What the images tell.


def _colour(source: Domain, target: Domain, gap: Gap) -> Iterator[Finding]:
    axes = {
        "lightness": ("L*", "lighter", "darker"),
        "green_red": ("a*", "redder", "greener"),
        "blue_yellow": ("b*", "yellower", "bluer"),
    }
    sure = {name: gap.appearance[name].difference for name in axes if _is_sure(name, source, target, gap)}
    if math.hypot(*sure.values()) >= COLOUR_APART:
        ways = [
            f"{axes[name][1 if by > 0 else 2]} by {abs(by):.0f} {axes[name][0]}"
            for name, by in sure.items()
            if abs(by) >= 1
        ]
        yield Finding(
            "colour",
            f"the target's mean colour lies {gap.colour:.0f} from the source's: {', '.join(ways)}",
            "translation learns this; where it does not, raise translate.steps or lower "
            "translate.weight_identity, which holds on to the source's colours",
        )


def _factors(source: Domain, target: Domain, gap: Gap) -> Iterator[Finding]:
    varied = 'translation learns this; without it, source.augment and uda.augment = "auto" vary it'
    edges = "translation learns this; where it does not, raise translate.steps or choose a smaller data.size"
    words = {
        "contrast": ("the {more} has {factor:.1f} times the contrast of the {less}", varied),
        "saturation": ("the {more}'s colours vary {factor:.1f} times as much as the {less}'s", varied),
        "sharpness": ("the {more} is {factor:.1f} times sharper than the {less}", edges),
    }
    for name, (sentence, remedy) in words.items():
        means = {"source": source.appearance[name].mean, "target": target.appearance[name].mean}
        less, more = sorted(means, key=lambda name: means[name])
        factor = means[more] / max(means[less], 1e-3)
        if factor >= FACTOR and _is_sure(name, source, target, gap):
            yield Finding(name, sentence.format(more=more, less=less, factor=factor), remedy)


def _noise(source: Domain, target: Domain, gap: Gap) -> Iterator[Finding]:
    here, there = source.appearance["noise"].mean, target.appearance["noise"].mean
    if abs(there - here) >= NOISE_APART and _is_sure("noise", source, target, gap):
        remedy = (
            "give the simulator's images the camera's noise, or see that translation learns it"
            if here < there
            else "in translated images this is a grain that the generator has not lost yet, or hides the "
            "source in: raise translate.steps or lower translate.weight_cycle"
        )
        text = f"smooth areas have noise of {here:.2f} L* in the source and {there:.2f} L* in the target"
        yield Finding("noise", text, remedy)


def _sizes(source: Domain, target: Domain, gap: Gap) -> Iterator[Finding]:
    if source.size != target.size:
        yield Finding(
            "record_sizes",
            f"the source's records have {size_text(source.size)} pixels, the target's {size_text(target.size)}; "
            "sharpness and noise do not compare",
            "prepare both with one data.size",
        )
    if max(gap.stretch, 1 / gap.stretch) >= STRETCH:
        wide = "wider" if gap.stretch > 1 else "narrower"
        yield Finding(
            "stretch",
            f"making records left the target's objects {per_cent(abs(gap.stretch - 1))} {wide} for their "
            "height than the source's",
            "cut the originals of both to one aspect ratio, that of data.size, before data prepare",
        )
    for name, domain in (("source", source), ("target", target)):
        height, width = domain.size
        small = sum(images for h, w, images in domain.original_sizes if h < height or w < width)
        if small:
            yield Finding(
                "enlarged",
                f"{small} of the {name}'s {domain.images} images were enlarged to the "
                f"records' {size_text(domain.size)} pixels, which blurs them",
                "choose a data.size that no image is smaller than",
            )


def _ignored(source: Domain, target: Domain, gap: Gap) -> Iterator[Finding]:
    for name, domain in (("source", source), ("target", target)):
        if domain.ignored is not None and domain.ignored >= IGNORED:
            yield Finding(
                "ignored",
                f"{per_cent(domain.ignored)} of the pixels in the {name}'s labelled images have no class",
                "look at the mosaic: mostly, labels of another numbering than that of `classes` were read",
            )


def _is_sure(name: str, source: Domain, target: Domain, gap: Gap) -> bool:
    """Whether a difference of appearance stands out of the deviation between images."""
    effect = gap.appearance[name].effect
    return effect is None or abs(effect) >= max(EFFECT, ERRORS * math.sqrt(1 / source.images + 1 / target.images))


def _shares_of(shares: dict[str, float]) -> str:
    return _listed({f"{name} {per_cent(share)}": share for name, share in shares.items()})


def _listed(phrases: dict[str, float]) -> str:
    """Phrases about classes, those of the largest values first, at most NAMED of them."""
    order = sorted(phrases, key=lambda phrase: -abs(phrases[phrase]))
    return ", ".join(order[:NAMED]) + (f" and {len(order) - NAMED} more" if len(order) > NAMED else "")
