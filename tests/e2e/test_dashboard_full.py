"""Does the dashboard hold a hundred thousand events, with a page that has no more rows than one sees?

The supervisor here is the tests' own, since only the events matter: nobody has to send them all.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from stopgap.admin.metrics import Metrics
from stopgap.admin.server import AdminServer
from stopgap.config import Address
from stopgap.config.model import REMEMBERED
from stopgap.gate import sockets
from tests.e2e.browser import Sight, chromium
from tests.unit.admin.source import Source, line

AT_ONCE = 1_000
ON_THE_PAGE = 80


@pytest.fixture
def port() -> Iterator[int]:
    source = Source()
    for first in range(0, REMEMBERED, AT_ONCE):
        many = range(first, first + AT_ONCE)
        source.writer.put(
            [line(n, client=f"10.{n % 100}.{n // 100 % 250}.1", last=REMEMBERED - n) for n in many]
        )
    door = sockets.listener(Address("127.0.0.1", 0))
    server = AdminServer(door, source, Metrics(source.board, source.counters, lambda: source.status))
    server.start()
    yield sockets.bound(door).port
    server.close()


def test_a_hundred_thousand_events(port: int) -> None:
    with chromium() as browser:
        sight = Sight(browser, port)
        page = sight.show("events")
        count = page.locator("output")
        expect(count).to_have_text("100,000 / 100,000")
        rows = page.locator(".list .row")
        assert rows.count() <= ON_THE_PAGE
        page.locator("#filter").fill("client:10.7.0.0/16")
        expect(count).to_have_text("1,000 / 100,000")
        page.locator("#filter").fill("")
        expect(count).to_have_text("100,000 / 100,000")
        page.locator(".list").focus()
        page.keyboard.press("End")
        expect(page.locator(".row[aria-selected=true]")).to_have_attribute("aria-posinset", "100000")
        expect(page.locator(".row[aria-selected=true]")).to_contain_text("10.0.0.1")
        assert rows.count() <= ON_THE_PAGE
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_contain_text("0000000000000000")
        sight.close()
    assert sight.faults == []
