"""A real Chromium: what it complains of and what it asks elsewhere is written down."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
PATIENCE = 60_000  # milliseconds: the machine may have other work
GRAVE = ("serious", "critical")


@dataclass
class Seen:
    """What must not happen on a page."""

    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@contextmanager
def browsing(address: str, **options: Any) -> Iterator[tuple[Any, Seen]]:
    """A fresh page of Chromium at this address; `options` as playwright's `new_page` takes them."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    seen = Seen()
    home = "/".join(address.split("/")[:3])
    with sync_playwright() as play, play.chromium.launch(executable_path=CHROMIUM) as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 760}, **options)
        page.set_default_timeout(PATIENCE)
        page.on(
            "console", lambda message: message.type in ("error", "warning") and seen.complaints.append(message.text)
        )
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on(
            "request",
            lambda request: request.url.startswith((home, "data:", "blob:")) or seen.outside.append(request.url),
        )
        page.goto(address)
        yield page, seen
    assert seen == Seen()


def grave_violations(page: Any) -> list[str]:
    """What axe-core finds serious or critical, each as one line."""
    import axe_playwright_python

    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})")
    return [
        f"{each['id']}: {json.dumps([node['html'][:200] for node in each['nodes'][:3]])}"
        for each in found["violations"]
        if each["impact"] in GRAVE
    ]
