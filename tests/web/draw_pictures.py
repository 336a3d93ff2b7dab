"""Make the pictures of docs/serve.md and docs/label.md: `python tests/web/draw_pictures.py DEMO-PROJECT`.

The project is one that `tuneclip demo` made, with a second collection: `tuneclip index finds --model starter --to
finds-starter --project DEMO-PROJECT`. The classifier that is rated for the picture stays in it.
"""

import io
import os
import sys
from pathlib import Path
from typing import Any

from browsing import browsing
from PIL import Image
from serving import served

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
MOST_BYTES = 200_000
WANTED = "oil lamp"


def main(project: Path) -> None:
    """Draw all of them."""
    os.chdir(project)  # so that the commands on the page need not name it
    with served(Path()) as (address, _):
        with browsing(f"{address}?collection=finds&words=to+open+the+model") as (page, _):
            page.locator("button.tile.here").first.wait_for()
            page.goto(f"{address}?collection=finds&words=black+kantharos&where=technique_of_record+%3D+'photograph'")
            keep(page, "serve-search")
            page.locator("#grid button.tile").nth(1).click()
            keep(page, "serve-picture")
        with browsing(f"{address}?collection=finds&words=terracotta+figurine&minus=bird", color_scheme="dark") as (
            page,
            _,
        ):
            keep(page, "serve-dark")
        with browsing(f"{address}compare?left=finds-starter&right=finds&words=red+bowl") as (page, _):
            keep(page, "serve-compare")
        with browsing(f"{address}label?collection=finds&prompt={WANTED.replace(' ', '+')}&to=lamps") as (page, _):
            rate(page)
            keep(page, "label-rating")
            page.keyboard.press("d")
            page.locator("#done[open]").wait_for()
            keep(page, "label-done")


def rate(page: Any) -> None:
    """Six rounds by what the captions say, from the beginning, and half of the next."""
    page.locator("#grid button.tile.here").first.wait_for()
    page.get_by_role("button", name="Start over …").click()
    page.get_by_role("button", name="Start over", exact=True).click()
    page.get_by_text("0 rated in all: 0 yes, 0 no", exact=True).wait_for()
    for number, count in enumerate((5, 5, 5, 5, 5, 5, 3), 2):
        page.locator("#grid button.tile.here").first.wait_for()
        for _ in range(count):
            caption = page.locator("#grid button.tile.current .caption").inner_text().lower()
            page.keyboard.press("5" if "lamp" in caption else "1")
        page.get_by_text(f"{count} of 5 on this page").wait_for()
        if count == 5:
            page.keyboard.press("n")
            page.get_by_text(f"round {number}").wait_for()
    page.wait_for_timeout(1500)


def keep(page: Any, name: str) -> None:
    """The page as it is, as a JPEG of `MOST_BYTES` at most."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for quality in (88, 80, 70, 60):
        held = io.BytesIO()
        image.save(held, "JPEG", quality=quality, optimize=True, progressive=True)
        if held.tell() <= MOST_BYTES:
            break
    (PICTURES / f"{name}.jpg").write_bytes(held.getvalue())


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
