"""The three domains, and how `sim` and `real` draw the camera and the light."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from udas_tf.data.streets.camera import Develop, Pinhole
from udas_tf.data.streets.game import GAME, game_camera, game_look, game_plan
from udas_tf.data.streets.layout import Layout
from udas_tf.data.streets.materials import REAL, SIM, Colour, Material, Palette
from udas_tf.data.streets.plan import Plan, real_plan, sim_plan
from udas_tf.data.streets.scene import Ground, Look, Scene, Sun
from udas_tf.data.streets.town import TownLayout
from udas_tf.errors import UserError

# `real` varies the colours of these first materials only: a material added later must not shift its random numbers.
_VARIED_IN_REAL = Material.CLUTTER + 1


@dataclasses.dataclass(frozen=True)
class Domain:
    """The four parts that define a domain. Exchanging a part measures what it adds to the domain gap.

    Attributes:
      plan: draws the plan of a street.
      camera: draws the camera in a street with that plan.
      look: draws colours, light and air.
      palette: colours of the items.
    """

    plan: Callable[[np.random.Generator], Plan]
    camera: Callable[[Plan, np.random.Generator], Pinhole]
    look: Callable[[np.random.Generator], Look]
    palette: Palette

    def scene(self, rng: np.random.Generator) -> Scene:
        """Draws a scene."""
        plan = self.plan(rng)
        camera = self.camera(plan, rng)
        eye_t = camera.position[0]
        if plan.town is None:
            layout = Layout(plan, self.palette, eye_t, rng)
        else:
            layout = TownLayout(plan.town, plan, self.palette, eye_t, rng)
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
    varied = colours[:_VARIED_IN_REAL]
    varied *= rng.normal(1, 0.05, varied.shape) * rng.normal(1, 0.05, (len(varied), 1))
    zenith: Colour = (186, 190, 194) if overcast else REAL.sky_zenith
    return Look(
        colours=colours,
        sun=Sun(
            Sun.towards(rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.1)),
            strength=(0.12 if overcast else rng.uniform(0.5, 0.7)) * day,
            ambient=(0.85 if overcast else rng.uniform(0.45, 0.58)) * day,
            tint=(1.06, 1.0, 0.88), shade_tint=(0.96, 1.0, 1.06), casts=not overcast,
        ),
        sky=(_scaled(zenith, rng.uniform(0.94, 1.04)), _scaled(REAL.sky_horizon, rng.uniform(0.94, 1.04))),
        clouds=rng.uniform(0.1, 0.7), cloud_shift=rng.uniform(0, 256),
        texture_strength=rng.uniform(0.55, 0.85),
        haze_distance=rng.uniform(90, 190),
        haze_colour=_scaled((206, 208, 202), rng.uniform(0.92, 1.04)),
        develop=Develop.sample(rng),
    )  # fmt: skip


def _scaled(colour: Colour, factor: float) -> Colour:
    return tuple(np.array(colour) * factor)


DOMAINS = {
    "sim": Domain(sim_plan, _sim_camera, _sim_look, SIM),
    "real": Domain(real_plan, _real_camera, _real_look, REAL),
    "game": Domain(game_plan, game_camera, game_look, GAME),
}
_PARTS = tuple(field.name for field in dataclasses.fields(Domain))


def find(name: str) -> tuple[int, Domain]:
    """Returns the number that seeds a domain's random numbers, and the domain.

    Args:
      name: a domain such as "sim", or a domain with parts of others, such as "sim+game_look+game_palette".

    Raises:
      UserError: the domain or a part is unknown.
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
