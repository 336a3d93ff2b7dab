"""Sets a vessel, or a sherd of one, before the camera."""

import dataclasses

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from tuneclip.archive.decorations import bands_for
from tuneclip.archive.forms import FORMS, Form
from tuneclip.archive.record import Find
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import ADDED, BREAK, CRACK, FAR, HOLE, NOTHING, OUTSIDE, Camera, Floats, Surface, add_tube
from tuneclip.archive.vessels import (
    Curve,
    Path,
    Profile,
    handle_paths,
    outline,
    set_handles,
    sherd_profile,
    turn,
    walled,
)

_FORM_OF = {form.name: form for form in FORMS}
_FLOOR = 0.82  # the ground's row as a share of the picture
_TO_THE_RIGHT = np.float32(0.1)  # turns; the left half of a drawing is the section, so the front shows on the right
_COARSE = 60.0  # pixels per unit of height, fine enough to find where handles meet the wall
_ROOM = (0.80, 0.68)  # width and height that the thing may take


def throw(find: Find, side: int, random: Generator) -> Scene:
    """The vessel as the record has it, on a square of `side` pixels."""
    form = _FORM_OF[find.name]
    if "sherd" in find.state.split():
        return _sherd(find, form, side, random)
    drawing = find.technique == "line drawing"
    level = drawing and not form.inside  # plates and lamps bear their decoration on the upper face
    elevation = 0.0 if level else float(np.radians(random.uniform(*form.elevation)))
    yaw = 0.0 if drawing else float(np.radians(random.uniform(-26, 26))) * (0.4 if find.inscription else 1.0)
    if not drawing and not find.inscription and random.random() < 0.5:
        yaw += np.pi  # the handle of a jug is as often on the left
    curve = outline(form, random)
    cut = _broken_edge(form, random) if find.state == "upper part missing" else None
    top = 1.0 if cut is None else float(cut.max())
    paths = handle_paths(form, walled(curve, form.wall, floor=form.floor, scale=_COARSE))
    if cut is not None:
        paths = [path for path in paths if float(path[0][:, 1].max()) < float(cut.min())]
    camera = _framed(form, curve[curve[:, 1] <= top], paths, (elevation, yaw, side))
    profile = walled(curve, form.wall, floor=form.floor, scale=camera.scale)
    surface = turn(profile, camera, side, cut=cut)
    if level:
        surface.around[:] -= _TO_THE_RIGHT
    set_handles(surface, paths, camera, missing=find.state == "handle missing")
    if form.handles == "lamp":
        _nozzle(surface, camera, profile)
    if find.state == "mended from sherds":
        _crack(surface, random)
    return Scene(
        surface,
        camera.scale / dict(find.sizes)["height"],
        bands_for(find, form, profile),
        stands=camera.centre[1],
        hollow=0.15 if form.inside else 0.75,
        section=_section(_below(profile, float(cut.min()) if cut is not None else 1.1)) if level else (),
        camera=camera,
    )


def _below(profile: Profile, top: float) -> Profile:
    """The rings below that height."""
    kept = profile.height <= top
    return Profile(*(getattr(profile, field.name)[kept] for field in dataclasses.fields(profile)))


def _section(profile: Profile) -> tuple[tuple[float, float], ...]:
    return tuple(zip(profile.radius.tolist(), profile.height.tolist(), strict=True))


def _crack(surface: Surface, random: Generator) -> None:
    """The joins of a vessel mended from sherds: jagged lines across it."""
    rows, columns = np.flatnonzero(surface.part.any(1)), np.flatnonzero(surface.part.any(0))
    top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
    sheet = Image.new("1", (surface.side, surface.side))
    pen = ImageDraw.Draw(sheet)
    width = max(1, surface.side // 220)
    knots = [
        (float(left + (right - left) * random.uniform(0.3, 0.7)), float(top + (bottom - top) * s)) for s in (0.35, 0.62)
    ]
    for knot in knots:
        for angle in np.linspace(0, 2 * np.pi, 5)[:-1] + random.uniform(0, 1.5):
            x, y = knot
            path = [knot]
            for _ in range(9):
                way = angle + random.normal(0, 0.45)
                x, y = x + surface.side * 0.045 * float(np.cos(way)), y + surface.side * 0.045 * float(np.sin(way))
                path.append((x, y))
            pen.line(path, fill=1, width=width)
    surface.part[np.asarray(sheet) & (surface.part == OUTSIDE)] = CRACK


def _framed(form: Form, curve: Curve, paths: list[Path], view: tuple[float, float, int]) -> Camera:
    """The camera (elevation, yaw, side) that fills the frame with the vessel and its handles."""
    elevation, yaw, side = view
    sine, cosine = np.sin(elevation), np.cos(elevation)
    high = float((curve[:, 1] * cosine + curve[:, 0] * sine).max())
    low = float((curve[:, 1] * cosine - curve[:, 0] * sine).min())
    wide = float(curve[:, 0].max())
    for path, thick in paths:
        wide = max(wide, float(path[:, 0].max()) + thick)
        high = max(high, float((path[:, 1] * cosine).max()) + thick)
    if form.handles == "lamp":
        wide, low = 1.75, low - 0.2
    scale = min(_ROOM[0] * side / (2 * wide), _ROOM[1] * side / (high - low))
    tall = scale * (high - low) / side
    lying = form.elevation[0] > 30 and elevation > 0
    floor = 0.47 + tall / 2 if lying else min(0.53 + tall / 2, _FLOOR)
    return Camera(scale, (side // 2, floor * side + low * scale), elevation, yaw)


def _broken_edge(form: Form, random: Generator) -> Floats:
    """Heights at which the wall is broken off, for 120 directions round the vessel."""
    corners = random.uniform(-0.035, 0.035, 9)
    base = form.zone[1] + random.uniform(0.09, 0.13)  # what is decorated stays
    steps = np.linspace(0, 9, 121)[:-1]
    edge = base + np.interp(steps, np.arange(10), np.append(corners, corners[0])) + random.normal(0, 0.003, 120)
    edge += 0.05 * np.sin(steps / 9 * 2 * np.pi + random.uniform(0, 6))
    return np.append(edge, edge[0]).astype(np.float32)


def _nozzle(surface: Surface, camera: Camera, profile: Profile) -> None:
    """A lamp's spout to the left, its wick hole, and the hole for filling."""
    reach = float(profile.radius.max())
    spout = np.array(
        [[-0.6 * reach, 0.5, 0], [-1.15 * reach, 0.52, 0.05], [-1.5 * reach, 0.55, 0.08]], dtype=np.float32
    )
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
    rim = find.state == "rim sherd"
    span = 0.66 * side * random.uniform(0.92, 1.06)
    profile, reach = sherd_profile(form, 1.5 * span, rim=rim)
    scale = 1.2 * span / reach
    row = side * (0.24 if rim else 0.47 - 0.6 * span / side)
    camera = Camera(scale, (side // 2, row + reach * scale), 0.0, random.uniform(-0.15, 0.15))
    surface = turn(profile, camera, side)
    _break(surface, (side / 2, row + 0.42 * span if rim else side * 0.47), span, random)
    share = (0.42, 0.78) if rim else (0.28, 0.72)
    return Scene(
        surface,
        span / dict(find.sizes)["length"],
        bands_for(find, form, profile, zone=(share[0] * reach, share[1] * reach)),
        hollow=0.5,
        section=_section(profile) if find.technique == "line drawing" else (),
        camera=camera,
    )


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
