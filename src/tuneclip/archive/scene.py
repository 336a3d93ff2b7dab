"""A thing set up before the camera: what the hands of vessels, coins and small finds hand to light and ink."""

from dataclasses import dataclass, field

from tuneclip.archive.decorations import Band
from tuneclip.archive.surface import Camera, Surface


@dataclass(frozen=True)
class Scene:
    """The seen surface, what is laid on it, and how large a centimetre is.

    `stands` where the thing stands on the ground (a row in pixels), else it lies and is seen from above. `wares`
    names the ware of single parts that differ from the find's own; `hollow` says how dark the inside grows; `relief`
    how dark the hollows of a flat face; `section` is
    the profile (radius, height) that a drawing cuts through.
    """

    surface: Surface
    pixels_per_cm: float
    bands: list[Band] = field(default_factory=list)
    stands: float | None = None
    wares: dict[int, str] = field(default_factory=dict)
    hollow: float = 0.0
    relief: float = 0.0
    section: tuple[tuple[float, float], ...] = ()
    camera: Camera | None = None
