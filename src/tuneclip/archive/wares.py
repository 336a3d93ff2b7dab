"""What finds are made of: the look of each ware, its dates and what it is decorated with."""

from dataclasses import dataclass

Colour = tuple[int, int, int]  # sRGB, 0…255


@dataclass(frozen=True)
class Ware:
    """One ware or material: how it looks and what is plausible for it.

    `gloss`, `grit` and `mottle` run from 0 to 1; `dates` are years, negative before the common era.
    """

    name: str
    material: str
    colours: tuple[tuple[str, Colour], ...]
    paint: Colour
    core: Colour
    gloss: float
    grit: float
    mottle: float
    dates: tuple[int, int]
    decorations: tuple[str, ...]
    metal: bool = False


_PLAIN_LINES = ("plain", "bands")
_CLAY = (178, 104, 66)

WARES: dict[str, Ware] = {
    ware.name: ware
    for ware in (
        Ware("bucchero", "ceramic", (("black", (34, 33, 35)), ("dark grey", (62, 61, 62))), (142, 138, 132),
             (70, 68, 66), 0.75, 0.02, 0.12, (-675, -525),
             ("plain", "incised fans", "incised lines", "ribbing", "incised spirals", "incised horses",
              "stamped rosettes")),
        Ware("impasto", "ceramic", (("brown", (104, 74, 54)), ("red", (142, 62, 42)), ("dark brown", (72, 54, 44))),
             (214, 196, 170), (62, 52, 46), 0.28, 0.25, 0.45, (-900, -600),
             ("plain", "ribbing", "incised zigzag", "incised meander", "knobs", "white triangles")),
        Ware("coarseware", "ceramic", (("brown", (128, 94, 70)), ("reddish brown", (150, 92, 66)),
                                       ("grey", (118, 110, 102))),
             (90, 64, 48), (86, 72, 62), 0.02, 1.0, 0.6, (-700, 300),
             ("plain", "a finger-impressed cordon", "combed waves", "comb strokes")),
        Ware("buff ware", "ceramic", (("buff", (214, 186, 144)), ("pale yellow", (222, 204, 160)),
                                      ("pinkish buff", (218, 176, 144))),
             (128, 62, 40), (196, 160, 120), 0.08, 0.1, 0.2, (-650, 100),
             ("plain", "bands", "wavy line", "dots", "net pattern")),
        Ware("Italo-geometric ware", "ceramic", (("buff", (216, 186, 142)), ("pale yellow", (222, 204, 162))),
             (112, 44, 30), (200, 160, 118), 0.12, 0.08, 0.2, (-750, -640),
             ("bands", "meander", "zigzag", "checkerboard", "concentric circles", "waterbirds", "lozenges")),
        Ware("Etrusco-Corinthian ware", "ceramic", (("cream", (226, 204, 160)), ("buff", (214, 182, 136))),
             (74, 38, 30), (206, 176, 130), 0.18, 0.06, 0.15, (-630, -540),
             ("deer frieze", "lion frieze", "rosettes", "scales", "dots", "tongues", "waterbirds")),
        Ware("black-figure ware", "ceramic", (("orange", (204, 112, 56)), ("reddish orange", (192, 94, 50))),
             (28, 24, 24), _CLAY, 0.5, 0.03, 0.1, (-580, -480),
             ("warriors", "horses", "dancers", "lion frieze", "ivy", "a ship", "owls")),
        Ware("red-figure ware", "ceramic", (("black", (26, 24, 26)),), (206, 112, 58), _CLAY, 0.7, 0.02, 0.08,
             (-520, -320), ("warriors", "horses", "dancers", "a head", "owls", "palmettes", "dolphins")),
        Ware("black-gloss ware", "ceramic", (("black", (24, 24, 28)),), (226, 208, 170), (196, 132, 90), 0.95, 0.01,
             0.06, (-400, -50), ("plain", "ribbing", "ivy", "stamped palmettes", "a wave pattern")),
        Ware("terra sigillata", "ceramic", (("red", (166, 52, 32)), ("orange red", (186, 72, 40))), (120, 34, 22),
             (206, 122, 84), 0.6, 0.01, 0.08, (-40, 200),
             ("plain", "rouletting", "relief rosettes", "relief dolphins", "relief wreath")),
        Ware("red-slipped ware", "ceramic", (("red", (158, 58, 38)), ("reddish orange", (184, 84, 52))),
             (228, 206, 170), (190, 120, 84), 0.3, 0.08, 0.25, (-700, 450),
             ("plain", "white bands", "white dots", "rouletting")),
        Ware("grey ware", "ceramic", (("grey", (128, 128, 126)), ("dark grey", (90, 90, 92))), (52, 52, 54),
             (140, 136, 130), 0.15, 0.15, 0.25, (-550, 50), ("plain", "incised lines", "burnished net", "wavy line")),
        Ware("thin-walled ware", "ceramic", (("orange", (206, 128, 78)), ("grey", (136, 132, 126))), (236, 216, 184),
             (200, 140, 96), 0.15, 0.04, 0.15, (-120, 120), ("plain", "barbotine dots", "comb strokes", "rouletting")),
        Ware("glass", "glass", (("dark blue", (24, 40, 112)), ("turquoise", (40, 140, 146)),
                                ("olive green", (104, 124, 60)), ("amber", (168, 96, 28))),
             (240, 206, 84), (60, 80, 120), 1.0, 0.0, 0.05, (-600, 300), ("plain", "yellow threads", "white threads")),
        Ware("bronze", "bronze", (("green", (86, 128, 96)), ("dark green", (62, 88, 68)), ("brown", (112, 84, 48))),
             (44, 66, 50), (150, 110, 60), 0.35, 0.25, 0.9, (-800, 300),
             ("plain", "incised lines", "embossed dots", "ribbing"), True),
        Ware("iron", "iron", (("rusty brown", (120, 74, 46)), ("dark brown", (82, 58, 44))), (60, 40, 30),
             (70, 50, 40), 0.05, 1.0, 1.0, (-750, 400), ("plain",), True),
        Ware("silver", "silver", (("silver", (186, 186, 184)), ("dark silver", (140, 140, 142))), (90, 90, 92),
             (170, 170, 170), 0.6, 0.02, 0.35, (-550, 300), ("plain", "incised lines", "embossed dots"), True),
        Ware("gold", "gold", (("gold", (220, 172, 62)),), (150, 104, 30), (220, 172, 62), 0.75, 0.01, 0.12,
             (-700, 300), ("plain", "granulation"), True),
        Ware("terracotta", "terracotta", (("orange", (200, 124, 78)), ("red", (172, 88, 58)),
                                          ("buff", (212, 174, 130))),
             (112, 52, 38), (190, 112, 74), 0.04, 0.3, 0.35, (-650, 200), ("plain", "painted")),
        Ware("marble", "marble", (("white", (230, 226, 216)), ("grey", (188, 186, 182))), (170, 160, 148),
             (236, 234, 228), 0.25, 0.04, 0.2, (-500, 250), ("plain",)),
        Ware("bone", "bone", (("ivory", (230, 214, 176)), ("yellowish brown", (190, 158, 108))), (70, 50, 36),
             (220, 204, 168), 0.25, 0.04, 0.3, (-700, 350), ("plain",)),
    )
}  # fmt: skip
