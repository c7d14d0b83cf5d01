"""Who is drawn and how the picture was taken: codes of identities and of nuisance.

An identity is a handful of parts, each a small record of codes in [-1, 1]; a sibling takes one or
two of them from somebody else. Nuisance is everything a face verification model should ignore.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

SWAPPABLE = ("eyes", "brows", "nose", "mouth")
HAIR_STYLES = ("bald", "buzz", "parted", "fringe", "long", "wavy", "curly", "swept")
BEARDS = ("none", "stubble", "full", "goatee", "moustache")


@dataclass(frozen=True)
class Face:
    """Outline of the head: every code in [-1, 1]."""

    length: float
    cheek: float
    jaw: float
    chin: float
    temple: float
    ears: float


@dataclass(frozen=True)
class Skin:
    """Complexion: every code in [-1, 1]; tone runs from light to deep."""

    tone: float
    undertone: float
    blush: float


@dataclass(frozen=True)
class Hair:
    """Style (an index into `HAIR_STYLES`) and codes in [-1, 1]."""

    style: int
    colour: float
    volume: float
    line: float
    parting: float


@dataclass(frozen=True)
class Eyes:
    """Both eyes, mirrored: every code in [-1, 1]."""

    spacing: float
    height: float
    width: float
    opening: float
    lower: float
    tilt: float
    crease: float
    iris: float
    iris_size: float
    lashes: float


@dataclass(frozen=True)
class Brows:
    """Both brows, mirrored: every code in [-1, 1]."""

    height: float
    length: float
    thickness: float
    arch: float
    tilt: float
    gap: float
    darkness: float


@dataclass(frozen=True)
class Nose:
    """Every code in [-1, 1]."""

    length: float
    width: float
    bridge: float
    tip: float
    nostrils: float
    relief: float


@dataclass(frozen=True)
class Mouth:
    """Every code in [-1, 1]."""

    height: float
    width: float
    upper: float
    lower: float
    bow: float
    corners: float
    redness: float


@dataclass(frozen=True)
class Details:
    """Marks that some people have: counts, indices and codes in [-1, 1]."""

    freckles: int
    mole: int
    mole_x: float
    mole_y: float
    beard: int
    glasses: int
    seed: int


@dataclass(frozen=True)
class Identity:
    """A person: everything that stays the same from picture to picture."""

    face: Face
    skin: Skin
    hair: Hair
    eyes: Eyes
    brows: Brows
    nose: Nose
    mouth: Mouth
    details: Details


@dataclass(frozen=True)
class Nuisance:
    """One picture taken: angles in degrees, shifts in pixels of the crop, the rest unitless.

    `noise` and `blur` act on the finished drawing, everything else on the drawing itself.
    """

    yaw: float
    pitch: float
    roll: float
    scale: float
    shift_x: float
    shift_y: float
    light_x: float
    light_y: float
    contrast: float
    exposure: float
    warmth: float
    smile: float
    mouth_open: float
    brow_raise: float
    eye_close: float
    gaze_x: float
    gaze_y: float
    background: float
    backdrop: float
    clothes: float
    noise: float
    blur: float
    noise_seed: int


Codes = TypeVar("Codes", Face, Skin, Eyes, Brows, Nose, Mouth)


def _draw(kind: type[Codes], rng: np.random.Generator) -> Codes:
    return kind(*rng.uniform(-1.0, 1.0, len(fields(kind))).tolist())


def draw_identity(rng: np.random.Generator) -> Identity:
    """Draw a person at random.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.

    Returns
    -------
    Identity
        All codes uniform in [-1, 1]; styles and marks with everyday frequencies.
    """
    skin = _draw(Skin, rng)
    # Deep complexions rarely go with fair hair: the darker the skin, the narrower the palette.
    # Grey, its last stop, comes to everybody.
    lightest = max(-0.6, 0.8 - 1.5 * max(0.0, skin.tone + 0.15))
    colour = 1.0 if rng.random() < 0.09 else float(rng.uniform(-1.0, lightest))
    style = int(rng.choice(len(HAIR_STYLES), p=(0.08, 0.1, 0.17, 0.15, 0.15, 0.13, 0.12, 0.1)))
    hair = Hair(style, colour, *rng.uniform(-1, 1, 3).tolist())
    bearded = style in (0, 1, 2, 6, 7) and bool(rng.random() < 0.4)
    details = Details(
        freckles=int(rng.integers(20, 46)) if rng.random() < 0.15 else 0,
        mole=int(rng.random() < 0.15),
        mole_x=float(rng.uniform(-1, 1)),
        mole_y=float(rng.uniform(-1, 1)),
        beard=int(rng.integers(1, len(BEARDS))) if bearded else 0,
        glasses=int(rng.integers(1, 3)) if rng.random() < 0.12 else 0,
        seed=int(rng.integers(2**31)),
    )
    return Identity(
        face=_draw(Face, rng),
        skin=skin,
        hair=hair,
        eyes=_draw(Eyes, rng),
        brows=_draw(Brows, rng),
        nose=_draw(Nose, rng),
        mouth=_draw(Mouth, rng),
        details=details,
    )


def part_codes(identity: Identity, part: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Codes of one part.

    Parameters
    ----------
    identity : Identity
        Whose part.
    part : str
        Field of `Identity`, one of those made of codes in [-1, 1] alone.

    Returns
    -------
    ndarray of float64, shape (n,)
        In [-1, 1], in the order of the record's fields.
    """
    record = getattr(identity, part)
    return np.array([getattr(record, field.name) for field in fields(record)], dtype=np.float64)


def draw_sibling(
    identity: Identity, parts: tuple[str, ...], rng: np.random.Generator, contrast: float = 1.08
) -> Identity:
    """Give a person other eyes, brows, nose or mouth.

    Parameters
    ----------
    identity : Identity
        The person to start from.
    parts : tuple of str
        Parts to exchange, from `SWAPPABLE`.
    rng : numpy.random.Generator
        Draws the donors.
    contrast : float
        Least root mean square of the code differences of each exchanged part; two people drawn
        at random have about 0.82, and what is much less is hard to see.

    Returns
    -------
    Identity
        The same person but for `parts`.

    Raises
    ------
    ValueError
        If a part cannot be exchanged.
    """
    unknown = [part for part in parts if part not in SWAPPABLE]
    if unknown:
        raise ValueError(f"cannot exchange {unknown}: the exchangeable parts are {SWAPPABLE}")
    sibling = identity
    for part in parts:
        kind = type(getattr(identity, part))
        # A donor who looks the same would make a pair that nobody could tell apart.
        while True:
            donor = replace(identity, **{part: _draw(kind, rng)})
            gap = part_codes(donor, part) - part_codes(identity, part)
            if float(np.sqrt(np.mean(gap**2))) >= contrast:
                break
        sibling = replace(sibling, **{part: getattr(donor, part)})
    return sibling


def draw_nuisance(rng: np.random.Generator, strength: float = 1.0) -> Nuisance:
    """Draw the circumstances of one picture.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.
    strength : float
        Scales pose, light and expression; 1 is the dataset's own.

    Returns
    -------
    Nuisance
        Yaw within about 18 degrees, pitch within 8, noise up to 5 grey levels, blur up to 0.9 px.
    """

    def symmetric(limit: float) -> float:
        return float(rng.uniform(-limit, limit)) * strength

    return Nuisance(
        yaw=symmetric(18.0),
        pitch=symmetric(8.0),
        roll=symmetric(2.5),
        scale=1.0 + symmetric(0.025),
        shift_x=symmetric(1.2),
        shift_y=symmetric(1.2),
        light_x=symmetric(0.9),
        light_y=float(rng.uniform(-0.7, 0.1)) * strength,
        contrast=0.35 + symmetric(0.2),
        exposure=1.0 + symmetric(0.14),
        warmth=symmetric(1.0),
        smile=float(rng.uniform(-0.35, 1.0)) * strength,
        mouth_open=max(0.0, float(rng.uniform(-1.0, 1.0))) * strength,
        brow_raise=symmetric(1.0),
        eye_close=max(0.0, float(rng.uniform(-0.6, 0.45))) * strength,
        gaze_x=symmetric(1.0),
        gaze_y=symmetric(0.6),
        background=float(rng.uniform(0.0, 1.0)),
        backdrop=float(rng.uniform(0.0, 1.0)),
        clothes=float(rng.uniform(0.0, 1.0)),
        noise=float(rng.uniform(1.0, 5.0)),
        blur=max(0.0, float(rng.uniform(-0.5, 0.9))),
        noise_seed=int(rng.integers(2**31)),
    )
