"""The materials of Streets, their textures, and the palettes of `sim` and `real`.

Colours are display RGB 0..255. Most materials take their colour from the palette. Paint, clothes, leaves, facades
and other materials that differ between items take it from one of the item's three tints.
"""

from __future__ import annotations

import dataclasses
import enum
import functools

import numpy as np

Colour = tuple[float, float, float]  # red, green, blue
Colours = tuple[Colour, ...]

TEXTURE_SIZE = 256  # texels per side of a texture


class Material(enum.IntEnum):
    ASPHALT = 0
    MARKING = enum.auto()
    PAVING = enum.auto()
    KERB = enum.auto()
    GRASS = enum.auto()
    PAINT = enum.auto()
    GLASS = enum.auto()
    RUBBER = enum.auto()
    METAL = enum.auto()
    HEADLAMP = enum.auto()
    TAILLAMP = enum.auto()
    SKIN = enum.auto()
    TOP = enum.auto()
    BOTTOM = enum.auto()
    HAIR = enum.auto()
    LEAF = enum.auto()
    BARK = enum.auto()
    FACADE = enum.auto()
    TRIM = enum.auto()
    ROOF = enum.auto()
    MASONRY = enum.auto()
    BARS = enum.auto()
    POLE = enum.auto()
    HOUSING = enum.auto()
    LAMP_RED = enum.auto()
    LAMP_AMBER = enum.auto()
    LAMP_GREEN = enum.auto()
    SIGN_FACE = enum.auto()
    SIGN_RIM = enum.auto()
    CLUTTER = enum.auto()
    TWIGS = enum.auto()
    FOLIAGE = enum.auto()
    RAILING = enum.auto()
    ADVERT = enum.auto()
    FASCIA = enum.auto()
    REPAIR = enum.auto()
    YELLOW_LINE = enum.auto()


# Which of an item's three tints colours a material. Materials not listed use the palette.
TINT_SLOT: dict[int, int] = {
    Material.PAINT: 0, Material.TRIM: 1, Material.TOP: 0, Material.BOTTOM: 1, Material.SKIN: 2,
    Material.LEAF: 0, Material.FACADE: 0, Material.ROOF: 2, Material.MASONRY: 0, Material.BARS: 0,
    Material.SIGN_FACE: 0,
    Material.SIGN_RIM: 1, Material.CLUTTER: 0, Material.LAMP_RED: 0, Material.LAMP_AMBER: 1,
    Material.LAMP_GREEN: 2, Material.TWIGS: 0, Material.FOLIAGE: 0, Material.RAILING: 0, Material.ADVERT: 0,
    Material.FASCIA: 1,
}  # fmt: skip


@functools.cache
def tint_slots() -> np.ndarray:
    """int64 [materials]; the tint slot of each material, -1 where the palette colours it."""
    return np.array([TINT_SLOT.get(material, -1) for material in Material])


@dataclasses.dataclass(frozen=True)
class Palette:
    """Colours of one domain: one for each fixed material, and several to choose from for the tints of items."""

    fixed: dict[Material, Colour]
    sky_zenith: Colour
    sky_horizon: Colour
    cars: Colours
    trucks: Colours
    buses: Colours
    facades: Colours
    trims: Colours
    roofs: Colours
    clothes: Colours
    skins: Colours
    leaves: Colours
    masonry: Colours
    fences: Colours
    clutter: Colours

    def table(self) -> np.ndarray:
        """float32 [materials, 3]; the colours of the fixed materials, black for the others."""
        table = np.zeros((len(Material), 3), np.float32)
        for material, colour in self.fixed.items():
            table[material] = colour
        return table


SKINS = ((236, 196, 168), (205, 150, 115), (150, 100, 72), (95, 65, 50))

SIM = Palette(
    fixed={
        Material.ASPHALT: (92, 92, 104), Material.MARKING: (245, 245, 245), Material.PAVING: (196, 176, 170),
        Material.KERB: (220, 210, 205), Material.GRASS: (122, 190, 66), Material.GLASS: (60, 95, 140),
        Material.RUBBER: (25, 25, 28), Material.METAL: (190, 195, 200), Material.HEADLAMP: (255, 250, 215),
        Material.TAILLAMP: (230, 20, 20), Material.HAIR: (60, 40, 25), Material.BARK: (120, 78, 42),
        Material.POLE: (130, 135, 145), Material.HOUSING: (35, 38, 35), Material.REPAIR: (75, 75, 85),
        Material.YELLOW_LINE: (250, 215, 60),
    },
    sky_zenith=(70, 140, 240),
    sky_horizon=(165, 210, 255),
    cars=(
        (215, 30, 35), (30, 70, 205), (240, 240, 240), (245, 190, 20), (30, 30, 36), (20, 150, 90),
        (170, 175, 185),
    ),
    trucks=((235, 120, 30), (240, 240, 235), (40, 110, 190)),
    buses=((225, 40, 40), (250, 200, 30), (40, 150, 200)),
    facades=(
        (205, 95, 70), (235, 195, 110), (225, 220, 205), (150, 165, 190), (215, 145, 95), (180, 120, 110)
    ),
    trims=((250, 248, 240), (120, 70, 45)),
    roofs=((165, 60, 45), (95, 85, 90), (125, 75, 55)),
    clothes=(
        (220, 40, 60), (40, 80, 200), (250, 210, 40), (60, 60, 70), (150, 60, 170), (240, 240, 240),
        (30, 140, 130),
    ),
    skins=SKINS,
    leaves=((40, 135, 45), (60, 155, 50), (30, 115, 55)),
    masonry=((185, 130, 120), (175, 165, 155)),
    fences=((150, 105, 70), (80, 125, 100), (200, 200, 205)),
    clutter=((40, 120, 60), (240, 140, 30), (70, 70, 200)),
)  # fmt: skip

REAL = Palette(
    fixed={
        Material.ASPHALT: (104, 105, 108), Material.MARKING: (205, 203, 195),
        Material.PAVING: (172, 158, 142), Material.KERB: (186, 178, 166), Material.GRASS: (126, 138, 62),
        Material.GLASS: (64, 72, 78),
        Material.RUBBER: (34, 33, 33), Material.METAL: (140, 142, 142), Material.HEADLAMP: (225, 222, 205),
        Material.TAILLAMP: (150, 38, 34), Material.HAIR: (58, 46, 38), Material.BARK: (92, 82, 70),
        Material.POLE: (112, 114, 112), Material.HOUSING: (48, 50, 46), Material.REPAIR: (84, 84, 86),
        Material.YELLOW_LINE: (190, 160, 80),
    },
    sky_zenith=(140, 172, 208),
    sky_horizon=(222, 224, 222),
    cars=(
        (58, 60, 64), (160, 164, 168), (220, 220, 218), (28, 30, 34), (150, 36, 34), (40, 64, 128),
        (70, 96, 92),
    ),
    trucks=((202, 198, 186), (150, 92, 52), (82, 98, 116)),
    buses=((166, 60, 48), (188, 158, 70), (186, 188, 186)),
    facades=(
        (168, 104, 80), (190, 166, 120), (150, 132, 118), (196, 184, 164), (136, 92, 72), (166, 148, 142),
        (128, 114, 106),
    ),
    trims=((206, 200, 188), (92, 80, 70), (140, 138, 132)),
    roofs=((112, 72, 60), (82, 80, 82), (98, 86, 76)),
    clothes=(
        (48, 50, 58), (86, 82, 78), (160, 48, 52), (52, 76, 136), (184, 178, 168), (34, 34, 36),
        (104, 96, 70), (176, 136, 56),
    ),
    skins=SKINS,
    leaves=((66, 100, 44), (84, 112, 48), (52, 88, 46), (104, 112, 50)),
    masonry=((134, 106, 96), (150, 138, 128), (122, 108, 100)),
    fences=((92, 78, 62), (78, 88, 80), (140, 140, 138)),
    clutter=((62, 82, 66), (128, 92, 58), (82, 84, 92)),
)  # fmt: skip


class Texture(enum.IntEnum):
    SMOOTH = 0
    ASPHALT = enum.auto()
    PAVING = enum.auto()
    BRICK = enum.auto()
    PLASTER = enum.auto()
    LEAF = enum.auto()
    GRASS = enum.auto()
    BARS = enum.auto()
    TEXT = enum.auto()


# material: (texture, side of one tile in metres, relative contrast). Materials not listed are SMOOTH.
TEXTURED: dict[int, tuple[Texture, float, float]] = {
    Material.ASPHALT: (Texture.ASPHALT, 6.0, 0.55),
    Material.MARKING: (Texture.ASPHALT, 6.0, 0.45),
    Material.PAVING: (Texture.PAVING, 5.0, 0.5),
    Material.KERB: (Texture.ASPHALT, 6.0, 0.4),
    Material.GRASS: (Texture.GRASS, 5.0, 0.7),
    Material.LEAF: (Texture.LEAF, 3.0, 0.95),
    Material.BARK: (Texture.PLASTER, 1.5, 0.6),
    Material.FACADE: (Texture.BRICK, 4.0, 0.5),
    Material.ROOF: (Texture.BRICK, 5.0, 0.5),
    Material.MASONRY: (Texture.BRICK, 3.0, 0.75),
    Material.BARS: (Texture.BARS, 2.0, 0.75),
    Material.TOP: (Texture.PLASTER, 1.5, 0.45),
    Material.BOTTOM: (Texture.PLASTER, 1.5, 0.4),
    Material.FOLIAGE: (Texture.LEAF, 3.0, 0.95),
    Material.ADVERT: (Texture.TEXT, 1.6, 0.8),
    Material.FASCIA: (Texture.TEXT, 3.0, 0.8),
    Material.REPAIR: (Texture.ASPHALT, 6.0, 0.55),
    Material.YELLOW_LINE: (Texture.ASPHALT, 6.0, 0.45),
}


@functools.cache
def texture_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texture int64 [M], side of a tile in metres float32 [M] and contrast float32 [M] of each material."""
    rows = [TEXTURED.get(material, (Texture.SMOOTH, 4.0, 0.25)) for material in Material]
    textures, tiles, contrasts = zip(*rows, strict=True)
    return np.array(textures), np.array(tiles, np.float32), np.array(contrasts, np.float32)


def _fractal(rng: np.random.Generator, slope: float) -> np.ndarray:
    """Tileable noise float64 [N, N] with amplitude 1 / frequency^slope, mean 0 and standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(TEXTURE_SIZE)[:, None], np.fft.rfftfreq(TEXTURE_SIZE)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((TEXTURE_SIZE, TEXTURE_SIZE))) * frequency**-slope
    noise = np.fft.irfft2(spectrum, (TEXTURE_SIZE, TEXTURE_SIZE))
    return (noise - noise.mean()) / noise.std()


def _courses(rng: np.random.Generator, rows: int, columns: int, joint: float) -> np.ndarray:
    """Bricks or slabs in running bond, float64 [N, N]: each has its own tone, joints are dark."""
    at = np.arange(TEXTURE_SIZE) / TEXTURE_SIZE
    row = np.floor(at * rows).astype(int)[:, None]
    across = at[None] * columns + 0.5 * (row % 2)
    column = np.floor(across).astype(int) % columns
    tone = rng.standard_normal((rows, columns))[row, column] * 0.6
    in_joint = (np.mod(across, 1) < joint) | (np.mod(at[:, None] * rows, 1) < joint * rows / columns)
    return np.where(in_joint, -1.6, tone)


def _lettering(rng: np.random.Generator, lines: int) -> np.ndarray:
    """Lines of dark and light strokes of the width of letters, float64 [N, N]; the gaps between lines are 0."""
    at = np.arange(TEXTURE_SIZE) * lines // TEXTURE_SIZE
    strokes = rng.choice([-1.0, 0.0, 0.0, 0.9], (lines, TEXTURE_SIZE // 8)).repeat(8, axis=1)
    return np.where((at % 2 == 0)[:, None], strokes[at], 0.0)


@functools.lru_cache(maxsize=1)
def atlas() -> np.ndarray:
    """float32 [textures, N, N]; each is tileable and holds relative deviations from a material's colour in -1..1."""
    rng = np.random.default_rng(20)
    fine, medium, coarse = _fractal(rng, 0.4), _fractal(rng, 1.0), _fractal(rng, 1.7)
    cracks = -2.0 * (np.abs(_fractal(rng, 1.6)) < 0.02)
    at = np.arange(TEXTURE_SIZE)
    bars = np.where((at % 32 < 16)[None] | (at % 128 < 20)[:, None], 0.35, -0.75)
    layers = {
        Texture.SMOOTH: 0.3 * medium + 0.3 * coarse,
        Texture.ASPHALT: 0.3 * fine + 0.35 * coarse + 0.4 * cracks,
        Texture.PAVING: 0.55 * _courses(rng, 8, 8, 0.08) + 0.25 * coarse + 0.15 * fine,
        Texture.BRICK: 0.45 * _courses(rng, 20, 8, 0.1) + 0.4 * coarse + 0.1 * fine,
        Texture.PLASTER: 0.35 * coarse + 0.3 * medium,
        Texture.LEAF: 0.45 * medium + 0.35 * _fractal(rng, 1.0) * np.abs(fine),
        Texture.GRASS: 0.35 * medium + 0.2 * fine + 0.3 * coarse,
        Texture.BARS: bars,
    }
    layers[Texture.TEXT] = _lettering(rng, 8)
    # Rounding hides the last bits of the Fourier transform, which differ between processors.
    stack = np.stack([layers[texture] for texture in Texture])
    return (np.round(np.clip(stack, -1, 1) * 64) / 64).astype(np.float32)


# Materials that one can see through: tiles of their pattern per metre.
SHEER = {Material.TWIGS: 0.45, Material.FOLIAGE: 0.35, Material.RAILING: 0.5}


@functools.lru_cache(maxsize=1)
def gaps() -> dict[Material, np.ndarray]:
    """Pattern uint8 [N, N] of each material of SHEER, tileable: 1 = opaque, 0 = gap."""
    rng = np.random.default_rng(21)
    at = np.arange(TEXTURE_SIZE)
    railing = (at % 16 < 6)[None] | (at % 128 < 12)[:, None]
    solid = {
        Material.TWIGS: (np.abs(_fractal(rng, 1.1)) < 0.32) | (_fractal(rng, 0.8) > 1.3),
        Material.FOLIAGE: _fractal(rng, 1.1) > -0.7,
        Material.RAILING: railing,
    }
    return {material: pattern.astype(np.uint8) for material, pattern in solid.items()}
