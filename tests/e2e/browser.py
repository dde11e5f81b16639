"""How does a test look at the dashboard? In headless Chromium, which tells of every fault that it sees.

`Page.faults` are errors on the console, exceptions, answers of 400 and above, and requests to anywhere else.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

PATIENCE = 30_000
"""Milliseconds; the counters over time move every five seconds."""
expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "Chromium is missing: tests/need.sh chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Sight:
    """One page of a browser that never saw the gate before."""

    def __init__(
        self,
        browser: Browser,
        port: int,
        language: str = "en-GB",
        scheme: str = "light",
        size: tuple[int, int] = (1400, 900),
    ) -> None:
        self.base = f"http://127.0.0.1:{port}/"
        self.faults: list[str] = []
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=language,
            color_scheme="dark" if scheme == "dark" else "light",
        )
        context.set_default_timeout(PATIENCE)
        self.page: Page = context.new_page()
        self.page.on("console", lambda said: said.type == "error" and self.faults.append(said.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        self.page.on("request", self._elsewhere)
        self.page.on(
            "response", lambda told: told.status >= 400 and self.faults.append(f"{told.status} {told.url}")
        )

    def _elsewhere(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if not url.startswith(self.base):
            self.faults.append(f"elsewhere: {url}")

    def show(self, view: str) -> Page:
        """Load the page with this view."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.base}#/{view}")
        return self.page

    def close(self) -> None:
        self.page.context.close()
