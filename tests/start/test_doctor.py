"""Doctor sees what is here."""

from pathlib import Path

import tuneclip


def test_doctor_names_versions_devices_and_extras(tmp_path: Path) -> None:
    seen = tuneclip.doctor(project=tmp_path)
    versions = {package.name: package.version for package in seen.packages}
    assert versions["numpy"]
    assert {package.extra for package in seen.packages} >= {"", "dev"}
    assert seen.devices[-1] == "cpu"
    assert seen.starter
    assert seen.missing == ()
