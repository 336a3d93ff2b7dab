"""GeoJSON and Open Context: features, pages of results and single items become records."""

from pathlib import Path
from typing import Any

import pytest
from drawn import bring, draw, lines, put

import tuneclip
from tuneclip.errors import TuneclipError

HOST = "https://opencontext.org"


def properties(number: int, **more: Any) -> dict[str, Any]:
    """As the server writes them (`make_client_properties_dict` of its result_record.py)."""
    return {
        "uri": f"{HOST}/subjects/{number}",
        "citation uri": f"https://n2t.net/ark:/28722/{number}",
        "label": f"PC {number}",
        "project label": "Murlo",
        "context label": "Italy/Poggio Civitate",
        "early bce/ce": -650.0,
        "late bce/ce": -550.0,
        "item category": "Object",
        "snippet": False,
        "Has type": [{"id": "x", "label": "antefix"}],
        **more,
    }


def found(number: int, **more: Any) -> dict[str, Any]:
    own = {"id": f"#rec-{number}-of-9", "feature-type": "item record", **properties(number, **more)}
    return {
        "id": f"#record-{number}-of-9",
        "label": f"PC {number}",
        "type": "Feature",
        "category": "oc-api:geo-record",
        "geometry": {"id": "#geo", "type": "Point", "coordinates": [11.4, 43.15]},
        "when": {"id": "#when", "type": "oc-gen:formation-use-life", "start": "-0650", "stop": "-0550"},
        "properties": own,
    }


REGION = {
    "type": "Feature",
    "category": "oc-api:geo-facet",
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
    "properties": {"label": "Discovery region (1)", "count": 7, "early bce/ce": -650},
}


def page(*features: Any, **more: Any) -> dict[str, Any]:
    about = {"@context": [{"a": 1}], "totalResults": 9, "oc-api:has-facets": [{"id": "f"}], "type": "FeatureCollection"}
    return {**about, "features": list(features), **more}


def test_a_page_of_results_pairs_image_paths_and_keeps_places_and_years(tmp_path: Path) -> None:
    for number in range(2):
        draw(tmp_path / f"photos/{number}.jpg", number)
    alone = [properties(1, image_path="photos/1.jpg", latitude=1.5, longitude=2.5)]
    more = {"oc-api:has-results": alone}
    path = put(tmp_path / "page.json", page(REGION, found(0, image_path="photos/0.jpg"), **more))
    result, dataset = bring(path, template="{item category} {label}, {Has type.label}, from {context label}")
    assert (result.format, result.taken, result.skipped) == ("Open Context", 2, 0)
    first, second = dataset.records
    assert first.captions == ("Object PC 0, antefix, from Italy/Poggio Civitate",)
    assert (first.metadata["latitude"], first.metadata["longitude"]) == (43.15, 11.4)
    assert (second.metadata["latitude"], second.metadata["early bce/ce"]) == (1.5, -650.0)
    assert not {"when.start", "category", "feature-type", "snippet", "id"} & set(first.metadata)
    assert (first.id, dataset.path.name) == ("photos/0.jpg", "d")


def test_several_pages_in_a_folder_are_read_together(tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path / f"source/photos/{number}.jpg", number)
        value = page(REGION, found(number, image_path=f"photos/{number}.jpg"))
        put(tmp_path / f"source/page{number}.json", value)
    result, dataset = bring(tmp_path / "source")
    assert (result.format, result.taken, dataset.records[3].captions) == ("Open Context", 4, ("PC 3",))


def test_records_with_media_links_alone_wait_for_their_download(tmp_path: Path) -> None:
    thumbs = [f"{HOST}/media/{number}/default.jpg" for number in range(3)]
    draw(tmp_path / "0.jpg")
    records = [found(number, thumbnail=thumb, image_path=None) for number, thumb in enumerate(thumbs)]
    records[0]["properties"]["image_path"] = "0.jpg"
    result = tuneclip.import_dataset(put(tmp_path / "p.json", page(*records)), to="d", project=tmp_path)
    assert (result.taken, result.pending) == (1, 2)
    assert [row["url"] for row in lines(Path(result.path) / "pending.jsonl")] == thumbs[1:]


def test_single_items_give_their_best_file_and_their_context(tmp_path: Path) -> None:
    files = [{"id": f"{HOST}/{name}.jpg", "type": f"oc-gen:{name}"} for name in ("thumbnail", "fullfile", "preview")]
    for number in range(2):
        value = {
            "@context": ["x", {"a": 1}],
            "uuid": f"u{number}",
            "label": f"PC {number}",
            "type": "FeatureCollection",
            "features": [{**found(number), "category": None, "properties": {"href": "x"}}],
            "oc-gen:has-contexts": {"oc-gen:has-path-items": [{"label": "Italy"}, {"label": "Murlo"}]},
            "oc-gen:has-files": files,
        }
        put(tmp_path / f"items/{number}.json", value)
    result = tuneclip.import_dataset(tmp_path / "items", to="d", project=tmp_path)
    assert (result.format, result.pending) == ("Open Context", 2)
    waiting = lines(Path(result.path) / "pending.jsonl")
    assert [(row["id"], row["url"]) for row in waiting] == [(f"u{n}", f"{HOST}/fullfile.jpg") for n in range(2)]
    assert waiting[0]["metadata"]["context label"] == "Italy/Murlo"
    assert waiting[0]["metadata"]["latitude"] == 43.15
    assert waiting[0]["metadata"]["early bce/ce"] == -650


def test_regions_of_a_map_alone_are_an_error_that_says_how_to_ask(tmp_path: Path) -> None:
    with pytest.raises(TuneclipError, match=r"regions of a map, no records.*response=geo-record"):
        bring(put(tmp_path / "p.json", page(REGION)))


def test_any_geojson_keeps_its_ids_and_its_own_coordinates(tmp_path: Path) -> None:
    draw(tmp_path / "1.jpg")
    geometry = {"type": "Point", "coordinates": [2.35, 48.86, 35.0]}
    own = {"type": "Feature", "id": "paris", "geometry": geometry, "properties": {"file": "1.jpg", "title": "a tower"}}
    nowhere = {"type": "Feature", "geometry": None, "properties": {"file": "1.jpg", "title": "again"}}
    path = put(tmp_path / "places.geojson", {"type": "FeatureCollection", "features": [own, nowhere, {"a": 1}]})
    result, dataset = bring(path)
    assert (result.taken, result.merged, result.skipped) == (1, 1, 1)
    assert dataset.records[0].captions == ("a tower", "again")
    assert dict(dataset.records[0].metadata) == {"title": "a tower", "latitude": 48.86, "longitude": 2.35}
    assert dataset.records[0].id == "paris"
