"""The domains: how their streets, cameras and light are drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from udas_tf.data.streets.camera import Develop, Pinhole
from udas_tf.data.streets.game import GAME, game_camera, game_look, game_plan
from udas_tf.data.streets.layout import Layout
from udas_tf.data.streets.materials import REAL, SIM, Material, Palette
from udas_tf.data.streets.plan import Plan, real_plan, sim_plan
from udas_tf.data.streets.scene import Ground, Look, Scene, Sun
from udas_tf.data.streets.town import TownLayout
from udas_tf.errors import UserError

# Materials added later must not shift the random numbers of `real`.
_MATERIALS_OF_REAL = Material.CLUTTER + 1


@dataclasses.dataclass(frozen=True)
class Domain:
    """What sets a domain apart; its parts can be exchanged to see what each adds to the gap.

    Attributes:
      plan, camera, look: draw a plan, the camera in that street, and the light.
      palette: colours of what stands in the street.
    """

    plan: Callable[[np.random.Generator], Plan]
    camera: Callable[[Plan, np.random.Generator], Pinhole]
    look: Callable[[np.random.Generator], Look]
    palette: Palette

    def scene(self, rng: np.random.Generator) -> Scene:
        plan = self.plan(rng)
        camera = self.camera(plan, rng)
        kind = Layout if plan.town is None else TownLayout
        layout = kind(plan, self.palette, camera.position[0], rng)
        ground = Ground.from_patches(layout.road, layout.patches)
        return Scene(camera, layout.road, ground, layout.items, self.look(rng))


def _sim_camera(plan: Plan, rng: np.random.Generator) -> Pinhole:
    return Pinhole((plan.lane / 2, 1.5, 0.0), yaw=0.0, pitch=-0.045, roll=0.0, focal=0.9, bonnet=0.0)


def _real_camera(plan: Plan, rng: np.random.Generator) -> Pinhole:
    across = plan.lane * (rng.integers(plan.lanes) + 0.5) + rng.normal(0, 0.25)
    pitch = rng.normal(-0.04, 0.025)
    return Pinhole(
        (float(across), rng.uniform(1.3, 1.9), 0.0), yaw=rng.normal(0, 0.06), pitch=pitch,
        roll=rng.normal(0, 0.012), focal=rng.uniform(0.82, 1.02),
        bonnet=max(0.0, 0.09 + 0.8 * pitch) if rng.random() < 0.4 else 0.0,
    )  # fmt: skip


def _sim_look(rng: np.random.Generator) -> Look:
    return Look(
        colours=SIM.table(),
        sun=Sun(Sun.towards(-2.4, 0.9), 0.4, 0.72, (1, 1, 1), (1, 1, 1), casts=False),
        sky=(SIM.sky_zenith, SIM.sky_horizon), clouds=0.0, cloud_shift=0.0, texture_strength=0.0,
        haze_distance=0.0, haze_colour=SIM.sky_horizon, develop=None,
    )  # fmt: skip


def _real_look(rng: np.random.Generator) -> Look:
    overcast = rng.random() < 0.35
    day = rng.uniform(0.85, 1.1)
    colours = REAL.table()
    own = colours[:_MATERIALS_OF_REAL]
    own *= rng.normal(1, 0.05, own.shape) * rng.normal(1, 0.05, (len(own), 1))
    zenith = (186, 190, 194) if overcast else REAL.sky_zenith
    return Look(
        colours=colours,
        sun=Sun(
            Sun.towards(rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.1)),
            strength=(0.12 if overcast else rng.uniform(0.5, 0.7)) * day,
            ambient=(0.85 if overcast else rng.uniform(0.45, 0.58)) * day,
            tint=(1.06, 1.0, 0.88), shade_tint=(0.96, 1.0, 1.06), casts=not overcast,
        ),
        sky=tuple(tuple(np.array(colour) * rng.uniform(0.94, 1.04)) for colour in (zenith, REAL.sky_horizon)),
        clouds=rng.uniform(0.1, 0.7), cloud_shift=rng.uniform(0, 256),
        texture_strength=rng.uniform(0.55, 0.85),
        haze_distance=rng.uniform(90, 190),
        haze_colour=tuple(np.array([206, 208, 202]) * rng.uniform(0.92, 1.04)),
        develop=Develop.sample(rng),
    )  # fmt: skip


DOMAINS = {
    "sim": Domain(sim_plan, _sim_camera, _sim_look, SIM),
    "real": Domain(real_plan, _real_camera, _real_look, REAL),
    "game": Domain(game_plan, game_camera, game_look, GAME),
}
_PARTS = tuple(field.name for field in dataclasses.fields(Domain))


def find(name: str) -> tuple[int, Domain]:
    """A domain and the number that its random numbers start from.

    Args:
      name: "sim", or with parts of others, "sim+game_look+game_palette", so that what a part is worth can be
        measured.

    Raises:
      UserError: unknown domain or part.
    """
    base, *exchanged = name.split("+")
    parts = dict(part.partition("_")[::2][::-1] for part in exchanged)
    known = base in DOMAINS and all(part in _PARTS and owner in DOMAINS for part, owner in parts.items())
    if not known:
        raise UserError(
            f"Streets has no domain {name!r}; use one of {', '.join(DOMAINS)}, "
            f"or one with parts ({', '.join(_PARTS)}) of others, as in 'sim+game_look'."
        )
    new = {part: getattr(DOMAINS[owner], part) for part, owner in parts.items()}
    return list(DOMAINS).index(base), dataclasses.replace(DOMAINS[base], **new)
