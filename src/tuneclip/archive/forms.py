"""The forms of vessels: profile curves, handles and the wares that they are made in."""

from dataclasses import dataclass

Point = tuple[float, float]  # (radius, height), the vessel being one unit high


@dataclass(frozen=True)
class Form:
    """A vessel's shape in units of its own height.

    `profile` runs up the outside from the foot; a point given twice is a sharp corner. `zone` is where the main
    decoration sits (heights); `inside` asks for decoration of the inner face (plates). `handles` names how handles
    are set. `elevation` is how far above the horizon the camera looks from, in degrees.
    """

    category: str
    name: str
    profile: tuple[Point, ...]
    zone: tuple[float, float]
    heights: tuple[float, float]  # centimetres
    wares: tuple[str, ...]
    handles: str = "none"
    wall: float = 0.03
    floor: float = 0.06
    elevation: tuple[float, float] = (9.0, 20.0)
    inside: bool = False


_FINE = ("bucchero", "buff ware", "Italo-geometric ware", "Etrusco-Corinthian ware")
_ATTIC = ("black-figure ware", "red-figure ware", "black-gloss ware")

FORMS: tuple[Form, ...] = (
    Form("amphora", "neck amphora",
         ((0.15, 0.0), (0.16, 0.03), (0.095, 0.065), (0.095, 0.075), (0.19, 0.2), (0.30, 0.42), (0.33, 0.58),
          (0.28, 0.70), (0.17, 0.76), (0.135, 0.80), (0.125, 0.88), (0.14, 0.94), (0.185, 0.965), (0.185, 1.0)),
         (0.42, 0.68), (28, 48),
         (*_ATTIC[:2], "Etrusco-Corinthian ware", "bucchero", "impasto", "buff ware"), "amphora"),
    Form("amphora", "transport amphora",
         ((0.035, 0.0), (0.045, 0.05), (0.075, 0.11), (0.17, 0.32), (0.235, 0.55), (0.235, 0.66), (0.16, 0.745),
          (0.08, 0.79), (0.072, 0.90), (0.095, 0.955), (0.105, 0.96), (0.105, 1.0)),
         (0.5, 0.66), (60, 105), ("coarseware", "buff ware", "red-slipped ware"), "tall"),
    Form("kantharos", "kantharos",
         ((0.27, 0.0), (0.25, 0.03), (0.09, 0.09), (0.065, 0.16), (0.08, 0.26), (0.30, 0.40), (0.33, 0.43),
          (0.33, 0.43), (0.34, 0.46), (0.375, 0.65), (0.45, 0.99), (0.46, 1.0)),
         (0.56, 0.90), (11, 18), ("bucchero", "bucchero", "black-gloss ware", "impasto", "silver"), "high", 0.02, 0.4),
    Form("chalice", "chalice",
         ((0.36, 0.0), (0.34, 0.025), (0.14, 0.14), (0.08, 0.28), (0.08, 0.40), (0.26, 0.54), (0.40, 0.60),
          (0.40, 0.60), (0.43, 0.75), (0.50, 1.0)),
         (0.66, 0.93), (13, 19), ("bucchero", "impasto", "bronze"), "none", 0.02, 0.56),
    Form("kylix", "kylix",
         ((0.52, 0.0), (0.50, 0.05), (0.16, 0.13), (0.11, 0.26), (0.13, 0.42), (0.62, 0.58), (1.00, 0.74),
          (1.16, 0.92), (1.19, 1.0)),
         (0.66, 0.95), (7, 13), _ATTIC, "cup", 0.04, 0.46, (2.0, 9.0)),
    Form("skyphos", "skyphos",
         ((0.33, 0.0), (0.34, 0.05), (0.31, 0.07), (0.31, 0.07), (0.45, 0.25), (0.56, 0.55), (0.60, 0.85),
          (0.59, 1.0)),
         (0.42, 0.80), (8, 18), (*_ATTIC, *_FINE[2:], "buff ware"), "skyphos", 0.035, 0.1),
    Form("bowl", "bowl",
         ((0.40, 0.0), (0.40, 0.10), (0.36, 0.12), (0.36, 0.12), (0.72, 0.32), (1.02, 0.62), (1.14, 0.92), (1.15, 1.0)),
         (0.48, 0.86), (5, 11),
         ("bucchero", "impasto", "coarseware", "buff ware", "terra sigillata", "black-gloss ware", "grey ware",
          "red-slipped ware", "glass", "bronze", "Italo-geometric ware"), "none", 0.05, 0.14, (16.0, 32.0)),
    Form("plate", "plate",
         ((0.9, 0.0), (0.9, 0.22), (0.84, 0.24), (0.84, 0.24), (1.8, 0.42), (2.75, 0.72), (3.1, 0.95), (3.12, 1.0)),
         (0.5, 0.95), (2.5, 5),
         ("terra sigillata", "Etrusco-Corinthian ware", "red-slipped ware", "black-gloss ware", "coarseware",
          "buff ware", "Italo-geometric ware"), "none", 0.16, 0.3, (52.0, 80.0), True),
    Form("jug", "oinochoe",
         ((0.19, 0.0), (0.20, 0.03), (0.18, 0.05), (0.18, 0.05), (0.29, 0.20), (0.36, 0.40), (0.32, 0.57),
          (0.17, 0.69), (0.125, 0.75), (0.125, 0.84), (0.18, 0.95), (0.20, 1.0)),
         (0.30, 0.58), (17, 32), (*_FINE, *_ATTIC[:2], "grey ware"), "jug", 0.022),
    Form("jug", "one-handled jug",
         ((0.22, 0.0), (0.23, 0.03), (0.33, 0.18), (0.38, 0.36), (0.34, 0.54), (0.21, 0.68), (0.175, 0.76),
          (0.18, 0.86), (0.235, 0.97), (0.24, 1.0)),
         (0.26, 0.54), (14, 28), ("coarseware", "red-slipped ware", "impasto", "bronze", "glass", "grey ware"),
         "jug", 0.025),
    Form("hydria", "hydria",
         ((0.17, 0.0), (0.18, 0.03), (0.11, 0.07), (0.11, 0.08), (0.24, 0.25), (0.33, 0.48), (0.34, 0.60),
          (0.28, 0.70), (0.15, 0.755), (0.11, 0.80), (0.105, 0.90), (0.18, 0.975), (0.19, 1.0)),
         (0.38, 0.64), (32, 50), (*_ATTIC[:2], "buff ware", "bronze", "Etrusco-Corinthian ware"), "hydria"),
    Form("krater", "bell krater",
         ((0.27, 0.0), (0.28, 0.05), (0.15, 0.09), (0.12, 0.14), (0.16, 0.19), (0.33, 0.29), (0.41, 0.46),
          (0.41, 0.72), (0.45, 0.90), (0.52, 0.965), (0.53, 1.0)),
         (0.46, 0.84), (30, 46), ("red-figure ware", "black-gloss ware", "bucchero"), "krater", 0.03, 0.24),
    Form("krater", "column krater",
         ((0.21, 0.0), (0.22, 0.05), (0.14, 0.08), (0.14, 0.09), (0.28, 0.28), (0.40, 0.52), (0.41, 0.62),
          (0.32, 0.75), (0.26, 0.80), (0.26, 0.92), (0.26, 0.93), (0.41, 0.95), (0.41, 1.0)),
         (0.44, 0.70), (30, 48), ("black-figure ware", "Etrusco-Corinthian ware", "buff ware"), "column", 0.03, 0.12),
    Form("pithos", "pithos",
         ((0.16, 0.0), (0.17, 0.03), (0.27, 0.25), (0.36, 0.50), (0.37, 0.66), (0.31, 0.82), (0.225, 0.89),
          (0.215, 0.925), (0.28, 0.965), (0.285, 1.0)),
         (0.42, 0.78), (65, 130), ("coarseware", "impasto", "red-slipped ware"), "none", 0.035),
    Form("cooking pot", "olla",
         ((0.24, 0.0), (0.28, 0.05), (0.41, 0.26), (0.48, 0.48), (0.46, 0.68), (0.36, 0.82), (0.325, 0.88),
          (0.37, 0.965), (0.40, 1.0)),
         (0.42, 0.74), (14, 30), ("coarseware", "coarseware", "impasto", "grey ware"), "none", 0.035),
    Form("aryballos", "aryballos",
         ((0.10, 0.0), (0.22, 0.03), (0.40, 0.17), (0.47, 0.38), (0.42, 0.60), (0.22, 0.755), (0.11, 0.80),
          (0.10, 0.85), (0.12, 0.885), (0.31, 0.91), (0.31, 0.91), (0.32, 0.965), (0.29, 1.0)),
         (0.22, 0.60), (5.5, 9), ("Etrusco-Corinthian ware", "Etrusco-Corinthian ware", "bucchero", "glass",
                                  "buff ware"), "small", 0.19),
    Form("alabastron", "alabastron",
         ((0.04, 0.0), (0.13, 0.02), (0.225, 0.10), (0.245, 0.28), (0.20, 0.58), (0.12, 0.80), (0.075, 0.88),
          (0.07, 0.915), (0.16, 0.94), (0.16, 0.94), (0.165, 0.98), (0.15, 1.0)),
         (0.20, 0.62), (9, 18), ("Etrusco-Corinthian ware", "glass", "marble", "buff ware", "bucchero"), "lugs", 0.09),
    Form("lekythos", "lekythos",
         ((0.16, 0.0), (0.165, 0.04), (0.06, 0.065), (0.06, 0.08), (0.155, 0.16), (0.18, 0.36), (0.185, 0.56),
          (0.175, 0.62), (0.175, 0.62), (0.085, 0.71), (0.05, 0.755), (0.05, 0.83), (0.10, 0.88), (0.115, 0.97),
          (0.12, 1.0)),
         (0.26, 0.58), (14, 30), (*_ATTIC, "buff ware"), "lekythos", 0.02),
    Form("beaker", "beaker",
         ((0.25, 0.0), (0.26, 0.03), (0.25, 0.05), (0.29, 0.22), (0.335, 0.45), (0.33, 0.68), (0.30, 0.84),
          (0.34, 0.97), (0.35, 1.0)),
         (0.24, 0.72), (8, 15),
         ("thin-walled ware", "thin-walled ware", "grey ware", "glass", "silver", "terra sigillata", "impasto"),
         "none", 0.02, 0.08),
    Form("unguentarium", "unguentarium",
         ((0.08, 0.0), (0.10, 0.03), (0.20, 0.14), (0.225, 0.26), (0.16, 0.40), (0.07, 0.52), (0.055, 0.66),
          (0.055, 0.88), (0.10, 0.975), (0.115, 1.0)),
         (0.12, 0.34), (7, 15), ("glass", "buff ware", "thin-walled ware", "grey ware"), "none", 0.02),
    Form("oil lamp", "oil lamp",
         ((0.62, 0.0), (0.66, 0.06), (1.0, 0.42), (1.10, 0.62), (1.02, 0.86), (0.78, 1.0), (0.72, 1.0)),
         (0.1, 0.6), (2.6, 4), ("terra sigillata", "buff ware", "black-gloss ware", "red-slipped ware", "coarseware",
                                "bronze"), "lamp", 0.08, 0.86, (42.0, 62.0), True),
)  # fmt: skip
