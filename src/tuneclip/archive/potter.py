"""Sets a vessel, or a sherd of one, before the camera."""

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from tuneclip.archive.decorations import bands_for
from tuneclip.archive.forms import FORMS, Form
from tuneclip.archive.record import Find
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import ADDED, BREAK, FAR, HOLE, NOTHING, Camera, Floats, Surface, add_tube
from tuneclip.archive.vessels import Profile, handle_paths, set_handles, turn, turned_profile

_FORM_OF = {form.name: form for form in FORMS}
_FLOOR = 0.82  # the ground's row as a share of the picture
_ROOM = (0.80, 0.68)  # width and height that the thing may take


def throw(find: Find, side: int, random: Generator) -> Scene:
    """The vessel as the record has it, on a square of `side` pixels."""
    form = _FORM_OF[find.name]
    drawing = find.technique == "line drawing"
    if "sherd" in find.state:
        return _sherd(find, form, side, random)
    elevation = 0.0 if drawing and form.handles != "lamp" else float(np.radians(random.uniform(*form.elevation)))
    if drawing and form.inside:
        elevation = 0.0
    yaw = 0.0 if drawing else float(np.radians(random.uniform(-24, 24)))
    profile = turned_profile(form, side * 0.6, random)
    camera = _framed(form, profile, (elevation, yaw), side)
    cut = _broken_edge(random) if find.state == "upper part missing" else None
    surface = turn(profile, camera, side, cut=cut)
    paths = [] if cut is not None and form.handles not in ("krater",) else handle_paths(form, profile)
    set_handles(surface, paths, camera, missing=find.state == "handle missing")
    if form.handles == "lamp":
        _nozzle(surface, camera, profile)
    height = dict(find.sizes)["height"]
    return Scene(
        surface,
        camera.scale / height,
        bands_for(find, form, profile),
        stands=camera.centre[1],
        hollow=0.15 if form.inside else 0.75,
        section=tuple(zip(profile.radius.tolist(), profile.height.tolist(), strict=True)) if drawing else (),
        camera=camera,
    )


def _framed(form: Form, profile: Profile, angles: tuple[float, float], side: int) -> Camera:
    """The camera that fills the frame with the vessel and its handles."""
    sine, cosine = np.sin(angles[0]), np.cos(angles[0])
    high = float((profile.height * cosine + profile.radius * sine).max())
    low = float((profile.height * cosine - profile.radius * sine).min())
    wide = float(profile.radius.max())
    for path, thick in handle_paths(form, profile):
        wide = max(wide, float(path[:, 0].max()) + thick)
        high = max(high, float((path[:, 1] * cosine).max()) + thick)
    if form.handles == "lamp":
        wide, low = 1.75, low - 0.2
    scale = min(_ROOM[0] * side / (2 * wide), _ROOM[1] * side / (high - low))
    floor = side * (_FLOOR if form.elevation[0] < 30 else 0.47 + 0.5 * scale * (high - low) / side) + low * scale
    return Camera(scale, (side // 2, floor), angles[0], angles[1])


def _broken_edge(random: Generator) -> Floats:
    """Heights at which the wall is broken off, for 48 directions round the vessel."""
    steps = np.linspace(0, 2 * np.pi, 49)[:-1]
    base = random.uniform(0.55, 0.72)
    edge = base + 0.07 * np.sin(steps + random.uniform(0, 6)) + random.uniform(-0.035, 0.035, 48)
    return np.append(edge, edge[0]).astype(np.float32)


def _nozzle(surface: Surface, camera: Camera, profile: Profile) -> None:
    """A lamp's spout to the left, its wick hole, and the hole for filling."""
    reach = float(profile.radius.max())
    spout = np.array([[-0.6 * reach, 0.5, 0], [-1.15 * reach, 0.52, 0.05], [-1.5 * reach, 0.55, 0.08]], dtype=np.float32)
    seen = camera.see(spout)
    radii = np.array([0.5, 0.36, 0.36], dtype=np.float32) * camera.scale
    add_tube(surface, seen, radii, part=ADDED, blend=0.12 * camera.scale)
    flat = np.sin(camera.elevation)
    for x, y, size in ((-1.5 * reach, 0.88, 0.17), (0.0, 0.72, 0.13)):
        spot = camera.see(np.array([[x, y, 0.05]], dtype=np.float32))[0]
        _pierce(surface, (float(spot[0]), float(spot[1])), (size * camera.scale, size * camera.scale * float(flat)))


def _pierce(surface: Surface, centre: tuple[float, float], radii: tuple[float, float]) -> None:
    rows = np.arange(surface.side, dtype=np.float32)[:, None]
    columns = np.arange(surface.side, dtype=np.float32)
    inside = ((columns - centre[0]) / radii[0]) ** 2 + ((rows - centre[1]) / radii[1]) ** 2 < 1
    surface.part[inside & (surface.part != NOTHING)] = HOLE


def _sherd(find: Find, form: Form, side: int, random: Generator) -> Scene:
    """A piece of the vessel's wall, lying flat, its broken edges showing the core."""
    profile = turned_profile(form, side * 1.4, random)
    rim = find.state == "rim sherd"
    height = 1 - 0.28 * random.uniform(0.75, 1.0) * _tall(form) if rim else float(np.mean(form.zone))
    radius = max(profile.radius_at(height), 0.12)
    scale = 0.60 * side / (1.45 * radius)
    span = 0.58 * side * random.uniform(0.9, 1.1)
    top = camera_row = side * (0.47 if not rim else 0.36)
    tilt = 0.12 if rim else 0.0
    level = 1.0 if rim else height
    camera = Camera(scale, (side // 2, camera_row + level * scale * np.cos(tilt)), tilt, random.uniform(-0.5, 0.5))
    surface = turn(profile, camera, side)
    _break(surface, (side / 2, top + (0.36 * span if rim else 0)), span, random)
    return Scene(
        surface,
        span / dict(find.sizes)["length"],
        bands_for(find, form, profile),
        hollow=0.5,
        section=tuple(zip(profile.radius.tolist(), profile.height.tolist(), strict=True))
        if find.technique == "line drawing"
        else (),
        camera=camera,
    )


def _tall(form: Form) -> float:
    return 1.0 if max(radius for radius, _ in form.profile) < 0.7 else 1.6


def _break(surface: Surface, centre: tuple[float, float], span: float, random: Generator) -> None:
    """Keep a jagged piece of the surface; below and beside it the broken edge shows."""
    count = int(random.integers(7, 11))
    angle = np.sort(np.linspace(0, 2 * np.pi, count, endpoint=False) + random.uniform(-0.25, 0.25, count))
    reach = span * random.uniform(0.40, 0.56, count)
    corners = [
        (centre[0] + float(r * np.cos(a)), centre[1] + float(r * 0.86 * np.sin(a)))
        for r, a in zip(reach, angle, strict=True)
    ]
    jagged = []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        for share in (0.0, 0.28, 0.55, 0.8):
            push = random.normal(0, 0.008) * span if share else 0.0
            jagged.append((x0 + share * (x1 - x0) + push, y0 + share * (y1 - y0) + push))
    sheet = Image.new("1", (surface.side, surface.side))
    ImageDraw.Draw(sheet).polygon(jagged, fill=1)
    kept = np.asarray(sheet) & (surface.part != NOTHING)
    edge = max(2, round(0.045 * span))
    shifted = np.zeros_like(kept)
    shifted[edge:, edge // 3 :] = kept[:-edge, : kept.shape[1] - edge // 3]
    for step in range(1, edge):
        shifted[step:, step // 3 :] |= kept[: -step or None, : kept.shape[1] - step // 3]
    rim = shifted & ~kept
    surface.part[~kept] = NOTHING
    surface.depth[~kept] = FAR
    surface.part[rim] = BREAK
    surface.depth[rim] = 0
    surface.normal[0][rim], surface.normal[1][rim], surface.normal[2][rim] = 0.25, -0.75, 0.6
