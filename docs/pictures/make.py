"""Make the pictures of the README and the docs anew: `python docs/pictures/make.py DEMO`, after `make demo`.

DEMO is the demo's folder. Needs Chromium, found on the path or named by CHROMIUM.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
STUDENT = "samira"

SHOTS = (
    ("feedback.png", "light", "body", 1000, 760),
    ("feedback-row.png", "light", "#test_linear_forward", 1000, 560),
)


def main(demo: Path) -> None:
    """Shoot the feedback page of one student."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    page_file = (demo / "feedback" / STUDENT / "week2" / "week2.html").resolve()
    if chromium is None or not page_file.is_file():
        sys.exit(f"needs Chromium and {page_file}: run `make demo` first")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for name, scheme, selector, width, height in SHOTS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(page_file.as_uri())
            page.eval_on_selector(selector, "element => element.scrollIntoView()")
            if selector != "body":
                # The result stands at the end of the cell, below what the visible checks printed.
                page.evaluate("height => window.scrollBy(0, height)", 560)
            page.screenshot(path=HERE / name)
            page.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
