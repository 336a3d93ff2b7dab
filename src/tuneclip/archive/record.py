"""What is known of one find: the single source of both its picture and its entry in the archive."""

from dataclasses import dataclass

JsonObject = dict[str, object]


@dataclass(frozen=True)
class Place:
    """Where a find came to light; finds of one `context` belong together (degrees north and east)."""

    site: str
    context: str
    kind: str  # tomb, trench or area
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Find:
    """One find. `family` says which hand draws it; `seed` and `number` settle how it lies and how it is lit.

    `sizes` are centimetres by name (height, diameter, length); `start` and `end` are years, negative before the
    common era; `omitted` names the optional entries that this record lacks, as real archives do.
    """

    seed: int
    number: int
    id: str
    family: str
    category: str
    name: str
    ware: str
    colour: str
    decoration: str
    state: str
    view: str
    inscription: str
    technique: str
    place: Place
    period: str
    start: int
    end: int
    sizes: tuple[tuple[str, float], ...]
    label: str
    description: str
    url: str
    omitted: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The picture's path inside the archive's folder."""
        return f"pictures/{self.id}.jpg"

    @property
    def fragment(self) -> bool:
        """Whether only a piece is left."""
        return self.state.endswith("sherd") or self.state == "fragment"


def published(find: Find, *, material: str) -> JsonObject:
    """The find as the archive publishes it: a nested JSON object without the entries that the record lacks."""
    thing: JsonObject = {"material": material, "ware": find.ware, "colour": find.colour}
    thing |= {"decoration": find.decoration, "state": find.state}
    if find.ware == material:
        del thing["ware"]
    spot = {"latitude": find.place.latitude, "longitude": find.place.longitude}
    context: JsonObject = {"site": find.place.site, "name": find.place.context, "kind": find.place.kind}
    entry: JsonObject = {
        "id": find.id,
        "label": find.label,
        "category": find.category,
        "object": thing,
        "context": context | {"findspot": spot},
        "period": {"name": find.period, "start": find.start, "end": find.end},
        "dimensions": {f"{name}_cm": value for name, value in find.sizes},
        "technique_of_record": find.technique,
        "description": find.description,
        "picture": {"url": find.url, "file": find.file},
    }
    if find.inscription:
        thing["inscription"] = find.inscription
    if find.view:
        entry["view"] = find.view
    for name in find.omitted:
        holder = context if name == "findspot" else thing if name in thing else entry
        holder.pop(name, None)
    return entry
