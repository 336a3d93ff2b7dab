"""Where and when: the sites of the archive (invented) and the names of periods."""

from numpy.random import Generator

from tuneclip.archive.record import Place

# name, degrees north, degrees east, (kind, context names)
_SITES: tuple[tuple[str, float, float, tuple[tuple[str, str], ...]], ...] = (
    ("Poggio al Vento", 43.152, 11.401, (("tomb", "Tomb {} of the upper necropolis"), ("area", "Workshop {}"))),
    ("Pian delle Querce", 42.871, 11.284, (("trench", "Trench {}"), ("area", "Granary {}"))),
    ("Castel Ginestra", 42.254, 11.752, (("tomb", "Chamber tomb {}"), ("tomb", "Trench grave {}"))),
    ("Acquaviva Bassa", 41.893, 12.641, (("area", "Villa, room {}"), ("trench", "Well {}"))),
    ("Monte San Cipriano", 40.428, 15.012, (("area", "Sanctuary, deposit {}"), ("tomb", "Tomb {} of the plain"))),
    ("Porto Vecchio dei Greci", 40.381, 17.306, (("area", "Harbour quarter, house {}"), ("trench", "Sounding {}"))),
)

_PERIODS: tuple[tuple[int, str], ...] = (
    (-730, "Iron Age"),
    (-580, "Orientalizing"),
    (-480, "Archaic"),
    (-323, "Classical"),
    (-100, "Hellenistic"),
    (-27, "Late Republican"),
    (284, "Imperial"),
    (10_000, "Late Antique"),
)


def choose_place(random: Generator) -> Place:
    """One of about a hundred contexts, the site's coordinates moved by at most 400 m."""
    site, latitude, longitude, contexts = _SITES[int(random.integers(len(_SITES)))]
    kind, name = contexts[int(random.integers(len(contexts)))]
    number = int(random.integers(1, 13))
    north, east = random.uniform(-0.0035, 0.0035, 2)
    return Place(site, name.format(number), kind, round(latitude + north, 5), round(longitude + east, 5))


def choose_dates(random: Generator, dates: tuple[int, int]) -> tuple[int, int]:
    """A range of 25 to 100 years within the ware's own dates, on round years."""
    span = min(int(random.choice((25, 50, 50, 75, 100))), dates[1] - dates[0])
    latest = dates[1] - span
    start = dates[0] + 5 * int(random.integers(0, (latest - dates[0]) // 5 + 1))
    return start or 1, start + span or -1  # there was no year 0


def period_name(start: int, end: int) -> str:
    """The period that the middle of the range falls into."""
    middle = (start + end) / 2
    return next(name for limit, name in _PERIODS if middle < limit)
