"""The four parts of the domain `game`, which covers everything between `sim` and `real` and somewhat more.

This is domain randomization [Tobin et al. 2017, "Domain randomization for transferring deep neural networks from
simulation to the real world"]: to a network that has seen every light, road and camera, a photograph is one more
variation. The shares of the classes and the position of the horizon are roughly those of photographs of a town.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from udas_tf.data.streets.camera import Develop, Pinhole
from udas_tf.data.streets.materials import REAL, SIM, Colour, Colours, Material, Palette
from udas_tf.data.streets.plan import Plan, Town
from udas_tf.data.streets.scene import Look, Sun

_LOTS = ("block", "house", "park", "walled", "terrace", "yard", "grove")
_DULL: dict[str, Colours] = {
    "cars": ((24, 25, 28), (44, 46, 52), (96, 100, 104), (30, 40, 70), (70, 24, 26)),
    "facades": (
        (120, 116, 110), (84, 78, 74), (214, 208, 196), (146, 126, 98), (104, 70, 58), (170, 150, 110)
    ),
    "clothes": ((26, 27, 32), (44, 44, 50), (60, 58, 60), (34, 40, 58), (190, 210, 60)),
    "leaves": ((52, 60, 36), (86, 84, 62), (36, 48, 34), (110, 98, 74)),
    "fences": ((40, 42, 44), (60, 66, 62), (30, 50, 40)),
    "clutter": ((34, 36, 38), (60, 62, 62)),
}  # fmt: skip
GAME = Palette(
    fixed=REAL.fixed, sky_zenith=REAL.sky_zenith, sky_horizon=REAL.sky_horizon,
    **{
        field.name: getattr(SIM, field.name) + 2 * getattr(REAL, field.name) + 3 * _DULL.get(field.name, ())
        for field in dataclasses.fields(Palette)[3:]
    },
)  # fmt: skip


def game_plan(rng: np.random.Generator) -> Plan:
    """Draws mostly dense streets with terraced houses, shops and parked cars; some suburbs and some green."""
    dense = rng.random() < 0.65
    weights = (1.2, 0.4, 0.3, 0.5, 5.0, 0.4, 0.8) if dense else (0.8, 1.0, 1.0, 1.0, 0.8, 0.7, 3.0)
    return Plan(
        irregular=1.0, lane=rng.uniform(2.9, 4.2), lanes=2 if rng.random() < 0.2 else 1,
        parking=tuple(np.where(rng.random(2) < 0.45, 2.1, rng.uniform(0.1, 0.6, 2))),
        walk=tuple(rng.uniform(1.5, 6.0, 2)),
        verge=tuple(np.where(rng.random(2) < (0.1 if dense else 0.4), rng.uniform(0.5, 2.5, 2), 0.0)),
        curvature=rng.normal(0, 0.005) if rng.random() < 0.7 else 0.0,
        junction=rng.uniform(8, 60) if rng.random() < 0.45 else None,
        lots=dict(zip(_LOTS, rng.dirichlet(weights), strict=True)),
        floors=(int(rng.integers(2, 4)), int(rng.integers(4, 7))),
        trees=rng.uniform(8, 40), lamps=rng.uniform(20, 45), parked=rng.uniform(0.2, 0.95),
        traffic=rng.uniform(0.1, 0.8), riders=rng.uniform(0, 0.6), people=rng.uniform(0, 0.25),
        clutter=rng.uniform(0, 0.5), signs=rng.uniform(0.1, 0.6), colour_spread=9.0,
        town=_town(rng),
    )  # fmt: skip


def _town(rng: np.random.Generator) -> Town:
    return Town(
        tone_spread=rng.uniform(0.15, 0.5), bare=rng.choice([0.0, 1.0, rng.random()]),
        street_trees=rng.uniform(-0.3, 0.7), shops=rng.uniform(0, 0.9),
        worn=rng.uniform(0, 0.8), repairs=rng.uniform(0, 0.6), yellow_lines=rng.uniform(0, 0.8),
        bars=rng.uniform(0, 0.25),
        railings=0.5, bollards=0.25, islands=0.3, masts=rng.uniform(15, 60), adverts=rng.uniform(15, 80),
        strollers=rng.uniform(0, 3),
    )  # fmt: skip


def game_camera(plan: Plan, rng: np.random.Generator) -> Pinhole:
    across = plan.lane * (rng.integers(plan.lanes) + 0.5) + rng.normal(0, 0.6)
    yaw = rng.normal(0, 0.4 if rng.random() < 0.12 else 0.08)  # a few cameras are turning
    return Pinhole(
        (float(across), rng.uniform(1.1, 2.2), 0.0), yaw=yaw, pitch=rng.normal(0.005, 0.04),
        roll=rng.normal(0, 0.015), focal=rng.uniform(0.75, 1.15),
        bonnet=rng.uniform(0.02, 0.12) if rng.random() < 0.2 else 0.0,
    )  # fmt: skip


def game_look(rng: np.random.Generator) -> Look:
    weather = rng.choice(["sun", "white", "grey", "storm"], p=[0.4, 0.3, 0.2, 0.1])
    sky, cloud = _sky(str(weather), rng)
    hazy = rng.random() < 0.15
    return Look(
        colours=_colours(rng), sun=_sun(str(weather), rng),
        sky=sky, clouds=rng.uniform(-0.3, 0.6), cloud_shift=rng.uniform(0, 256), cloud=cloud,
        texture_strength=rng.uniform(0.15, 1.0),
        haze_distance=rng.uniform(60, 200) if hazy else rng.uniform(300, 1500),
        haze_colour=tuple(np.array(sky[1]) * rng.uniform(0.8, 1.0)),
        develop=_develop(rng), wet=rng.uniform(0.1, 0.5) if rng.random() < 0.35 else 0.0,
    )  # fmt: skip


def _colours(rng: np.random.Generator) -> np.ndarray:
    """Mixes the colours of `sim` and `real`, brighter or darker. Asphalt, paving and the like have any grey.

    Returns float32 [materials, 3].
    """
    share = rng.uniform(0, 1, (len(Material), 1))
    colours = SIM.table() * share + REAL.table() * (1 - share)
    for material, low, high in (
        (Material.ASPHALT, 50, 120), (Material.PAVING, 60, 170), (Material.KERB, 90, 200),
        (Material.MARKING, 140, 250), (Material.POLE, 30, 190), (Material.REPAIR, 50, 150),
        (Material.GLASS, 20, 130),
    ):  # fmt: skip
        colours[material] = rng.uniform(low, high) * rng.normal(1, 0.02, 3)
    return (colours * np.exp(rng.normal(0, 0.2, share.shape)) * rng.normal(1, 0.03, colours.shape)).astype(np.float32)


def _sun(weather: str, rng: np.random.Generator) -> Sun:
    """Draws the sun. Clouds put it near the zenith: shade lies under cars, and walls are darker than the road."""
    clear = weather == "sun"
    day = rng.uniform(0.25, 0.6) if weather == "storm" else rng.uniform(0.5, 1.1)
    strength = rng.uniform(0.4, 0.9) if clear else rng.uniform(0.15, 0.4)
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.1) if clear else rng.uniform(1.25, 1.5)
    warm, cold = rng.uniform(0, 0.1), rng.uniform(0, 0.12)
    return Sun(
        Sun.towards(azimuth, elevation), strength=strength * day, ambient=rng.uniform(0.35, 0.65) * day,
        tint=(1 + warm, 1.0, 1 - warm), shade_tint=(1 - cold, 1.0, 1 + cold), casts=True,
    )  # fmt: skip


def _sky(weather: str, rng: np.random.Generator) -> tuple[tuple[Colour, Colour], Colour]:
    """Draws the sky's colours (zenith, horizon), and the colour of the clouds."""
    zenith, horizon = {
        "sun": (np.array([rng.uniform(80, 220), rng.uniform(160, 240), rng.uniform(225, 255)]), 255),
        "white": (np.full(3, rng.uniform(235, 255)), 255),
        "grey": (np.full(3, rng.uniform(170, 235)), rng.uniform(210, 255)),
        "storm": (np.full(3, rng.uniform(90, 170)), rng.uniform(150, 235)),
    }[weather]
    cloud = rng.uniform(60, 150) if weather == "storm" else rng.uniform(180, 255)
    tint = rng.normal(1, 0.015, (3, 3))
    return (tuple(zenith * tint[0]), tuple(horizon * tint[1])), tuple(cloud * tint[2])


def _develop(rng: np.random.Generator) -> Develop:
    """Draws any camera. Most overexpose: where the sky is not blown out, the street is dark."""
    saturation = rng.uniform(0.6, 1.5)
    grey = np.tile([0.3, 0.59, 0.11], (3, 1))
    balance = rng.normal(1, 0.025, 3) * np.exp(rng.normal(0.22, 0.22))
    return Develop(
        colour=(np.eye(3) * saturation + grey * (1 - saturation)) * balance[:, None],
        black=rng.uniform(0, 0.06) * rng.uniform(0.7, 1.3, 3),
        white=np.minimum(rng.uniform(0.96, 1.06, 3), 1.0), gamma=rng.uniform(0.7, 1.35),
        vignette=max(0.0, rng.uniform(-0.15, 0.25)),
        blur=rng.uniform(0.2, 2.8),
        shot=rng.uniform(0, 0.02), read=rng.uniform(0, 0.01), jpeg=int(rng.integers(55, 98)),
        sharpen=max(0.0, rng.uniform(-0.6, 0.8)),
    )  # fmt: skip
