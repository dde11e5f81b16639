"""How does a test look at the dashboard? In headless Chromium, which tells of every fault that it sees.

`Page.faults` are errors on the console, exceptions, answers of 400 and above, and requests to anywhere else.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect, sync_playwright

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
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def _said(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.faults.append(said.text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(self.base):
            self.faults.append(f"elsewhere: {request.url}")

    def _answered(self, told: Response) -> None:
        if told.status >= 400:
            self.faults.append(f"{told.status} {told.url}")

    def show(self, view: str) -> Page:
        """Load the page with this view."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.base}#/{view}")
        return self.page

    def close(self) -> None:
        self.page.context.close()
