"""What is found besides vessels: coin types, brooches, figures, tiles and small tools."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A thing that is no vessel: what it can be made of, how long it is (centimetres) and its subtypes."""

    category: str
    name: str
    wares: tuple[str, ...]
    lengths: tuple[float, float]
    motifs: tuple[str, ...] = ("plain",)
    dates: tuple[int, int] | None = None  # overrides the ware's


@dataclass(frozen=True)
class CoinType:
    """A coin type: its metal, both faces, the letters on it, its diameter (centimetres) and its dates."""

    name: str
    metal: str
    obverse: str
    reverse: str
    legend: str
    diameter: tuple[float, float]
    dates: tuple[int, int]


COINS: tuple[CoinType, ...] = (
    CoinType("tetradrachm", "silver", "head of a goddess", "owl", "ATHE", (2.3, 2.6), (-480, -400)),
    CoinType("drachm", "silver", "head of a goddess", "horse", "LARIS", (1.7, 2.0), (-400, -340)),
    CoinType("stater", "silver", "dolphin", "amphora", "TARAS", (2.0, 2.3), (-430, -300)),
    CoinType("obol", "silver", "head of a goddess", "dolphin", "", (0.9, 1.2), (-450, -350)),
    CoinType("didrachm", "silver", "eagle", "wheel", "AKRA", (2.0, 2.2), (-480, -410)),
    CoinType("stater", "gold", "head of a king", "horse", "PHILIP", (1.6, 1.9), (-345, -310)),
    CoinType("aureus", "gold", "head of an emperor", "eagle", "AVGVSTVS", (1.8, 2.0), (-27, 120)),
    CoinType("denarius", "silver", "head of a goddess", "ship", "ROMA", (1.7, 2.0), (-210, -40)),
    CoinType("denarius", "silver", "head of an emperor", "wreath", "CAESAR", (1.7, 1.9), (-27, 180)),
    CoinType("as", "bronze", "head of a king", "ship", "ROMA", (2.8, 3.4), (-210, -90)),
    CoinType("sestertius", "bronze", "head of an emperor", "wreath", "TRAIANVS", (3.0, 3.4), (98, 117)),
    CoinType("follis", "bronze", "head of an emperor", "eagle", "LICINIVS", (2.0, 2.4), (308, 324)),
    CoinType("unit", "bronze", "head of a goddess", "wheel", "", (1.8, 2.4), (-300, -200)),
    CoinType("unit", "bronze", "owl", "wreath", "THE", (1.6, 2.2), (-300, -200)),
    CoinType("unit", "bronze", "bull", "star", "", (1.6, 2.1), (-300, -150)),
    CoinType("half unit", "bronze", "eagle", "star", "ARP", (1.3, 1.8), (-320, -200)),
)

KINDS: tuple[Kind, ...] = (
    Kind("fibula", "leech fibula", ("bronze", "bronze", "gold", "silver"), (4.5, 11),
         ("plain", "ribbing", "incised rings"), (-800, -600)),
    Kind("fibula", "arch fibula", ("bronze", "bronze", "iron"), (3.5, 8), ("plain", "twisted bow"), (-900, -700)),
    Kind("fibula", "serpentine fibula", ("bronze", "gold", "iron"), (6, 12), ("plain", "knobs"), (-750, -600)),
    Kind("fibula", "disc fibula", ("bronze", "silver", "gold"), (2.5, 5),
         ("concentric circles", "star", "rosette", "wheel"), (-100, 350)),
    Kind("fibula", "bow fibula", ("bronze",), (5, 9), ("an amber bead", "bone beads"), (-800, -650)),
    Kind("figurine", "figurine of a standing woman", ("terracotta", "terracotta", "bronze", "marble"), (9, 24),
         ("plain", "painted")),
    Kind("figurine", "figurine of a seated goddess", ("terracotta", "terracotta", "marble"), (9, 20),
         ("plain", "painted")),
    Kind("figurine", "figurine of a warrior", ("bronze", "bronze", "terracotta"), (7, 22), ("plain",)),
    Kind("figurine", "figurine of a horse", ("terracotta", "bronze"), (6, 14), ("plain", "painted")),
    Kind("figurine", "figurine of a rider", ("terracotta", "terracotta", "bronze"), (8, 15), ("plain", "painted")),
    Kind("figurine", "figurine of a bull", ("terracotta", "bronze"), (6, 14), ("plain", "painted")),
    Kind("figurine", "figurine of a ram", ("terracotta", "bronze"), (5, 10), ("plain",)),
    Kind("figurine", "figurine of a dove", ("terracotta", "marble"), (6, 11), ("plain", "painted")),
    Kind("roof tile", "tegula", ("terracotta",), (40, 65), ("plain", "finger marks", "paw prints")),
    Kind("roof tile", "imbrex", ("terracotta",), (35, 60), ("plain", "finger marks")),
    Kind("antefix", "antefix", ("terracotta",), (17, 32),
         ("a female head", "a gorgon's head", "a palmette", "a lion's head"), (-600, 100)),
    Kind("loom weight", "pyramidal loom weight", ("terracotta",), (5, 10),
         ("plain", "a stamped rosette", "an incised cross", "dots"), (-650, 50)),
    Kind("loom weight", "discoid loom weight", ("terracotta",), (5, 9), ("plain", "a stamped rosette", "dots"),
         (-400, 50)),
    Kind("spindle whorl", "spindle whorl", ("impasto", "terracotta", "bone", "bucchero"), (2.4, 4.5),
         ("plain", "dots", "incised lines"), (-800, -300)),
    Kind("arrowhead", "barbed arrowhead", ("iron", "bronze"), (3, 7), ("plain",), (-700, 300)),
    Kind("arrowhead", "leaf-shaped arrowhead", ("bronze", "iron", "bone"), (3, 7), ("plain",), (-700, 300)),
    Kind("spearhead", "socketed spearhead", ("iron", "bronze"), (14, 36), ("plain",), (-800, -300)),
    Kind("finger ring", "finger ring", ("gold", "silver", "bronze"), (1.8, 2.6),
         ("plain", "a glass bezel", "an engraved bird"), (-600, 300)),
    Kind("bead", "string of beads", ("glass", "bone", "gold"), (8, 16), ("plain", "eye beads")),
    Kind("mirror", "hand mirror", ("bronze", "bronze", "silver"), (18, 30),
         ("plain", "an engraved head", "an engraved dancer", "an engraved border"), (-500, -200)),
    Kind("die", "gaming die", ("bone", "terracotta"), (1.0, 2.0), ("ring-and-dot eyes",), (-400, 350)),
    Kind("pin", "dress pin", ("bone", "bronze", "silver"), (7, 16), ("a round head", "a cone head", "a ring head")),
)  # fmt: skip
