"""Does an operator see on the dashboard what happens, and is what is changed there in force everywhere?

The program is real, with two workers and real traffic, and so is the browser. A fault that the browser sees,
such as a script that was not allowed, fails every test here.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import Sight, chromium
from tests.e2e.client import Client, ask, get
from tests.e2e.gate import ENVIRONMENT, PROGRAM, Gate, guarding
from tests.e2e.origins import Origin, answering, echo, running, until
from tests.e2e.unprivileged import AS_NOBODY, REACHABLE, ROOT, room

SITE, RULE = "kaikei", "ida-idq"
WORM = get("/default.ida?NNNN=a")
HOSTILE = b"/<img/src=x/onerror=alert(1)>.ida?</script><script>alert(2)</script>&\x9b\x1b[2J'\""
WORKERS = 2


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def behind() -> Iterator[Origin]:
    with running() as origin:
        origin.script = answering(echo)
        yield origin


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, behind: Origin) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("dashboard")
    site = {"name": SITE, "origins": behind.url, "server": "iis5", "packs": ["code-red"]}
    with guarding(folder, site, workers=WORKERS, state=str(folder / "state")) as started:
        for number in range(1, 9):
            with Client(started.port, source=f"127.7.{number}.1") as client:
                assert client.ask(get("/index.asp")).status == 200
                assert client.ask(WORM).status == 404
        assert ask(started.port, get(HOSTILE.decode("latin-1"))).event
        until(lambda: len(started.events) >= 9)
        yield started


@pytest.fixture
def sight(browser: Browser, gate: Gate) -> Iterator[Sight]:
    made = Sight(browser, gate.admin)
    yield made
    made.close()
    assert made.faults == []


def config(gate: Gate) -> str:
    return Path(gate.flags[gate.flags.index("--config") + 1]).read_text("utf-8")


def refused(gate: Gate, request: bytes = WORM) -> set[bool]:
    """Whether the workers refuse a request: so many new connections reach all of them."""
    return {bool(ask(gate.port, request).event) for _ in range(24)}


def told(page: Page, text: str) -> None:
    expect(page.locator("#main")).to_contain_text(text)


def written(page: Page, reason: str, owner: str, *shown: str) -> None:
    """Say why in the dialog that is open, look at what changes, and write it."""
    dialog = page.locator("dialog")
    dialog.locator("[name=reason]").fill(reason)
    dialog.locator("[name=owner]").fill(owner)
    expect(dialog.get_by_role("button", name="Write and reload")).to_be_disabled()
    dialog.get_by_role("button", name="Show what changes").click()
    for text in shown:
        expect(dialog.locator(".diff")).to_contain_text(text)
    dialog.get_by_role("button", name="Write and reload").click()
    expect(dialog).to_contain_text("In force on all workers.")
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_have_count(0)


def test_traffic_refusals_and_origins(sight: Sight, gate: Gate) -> None:
    page = sight.show("overview")
    expect(page.locator(".uplot canvas")).to_have_count(2)
    told(page, "By client network")
    for text in (RULE, "extension-denied", "127.7.1.0/24", SITE):
        expect(page.locator(".bars").filter(has_text=text).first).to_be_visible()
    expect(page.locator("tr").filter(has_text="http://127.0.0.1")).to_contain_text("Up")
    expect(page.locator("tr").filter(has_text="serving")).to_have_count(WORKERS)
    page.get_by_role("link", name=RULE).click()
    expect(page.locator("#filter")).to_have_value(f"rule:{RULE}")


def test_events_live_and_filtered(sight: Sight, gate: Gate) -> None:
    page = sight.show("events")
    rows = page.locator(".list .row:visible")
    expect(rows.filter(has_text="/default.ida")).to_have_count(8)
    page.locator("#filter").fill("client:127.7.3.0/24 action:refused")
    expect(rows).to_have_count(1)
    with Client(gate.port, source="127.7.3.9") as client:
        assert client.ask(get("/new.idq")).event
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("/new.idq")
    page.get_by_role("button", name="detected").click()
    expect(rows).to_have_count(0)


def test_an_event_with_its_readings(sight: Sight, gate: Gate) -> None:
    event = ask(gate.port, get("/x.%2569da?q=1")).event
    until(lambda: gate.admins(f"/events/{event}")[0] == 200)
    page = sight.show("events")
    page.locator("#filter").fill(f"id:{event}")
    expect(page.locator(".list .row:visible")).to_have_count(1)
    page.locator(".list .row:visible").click()
    told(page, event)
    for reading in ("/x.%69da", "/x.ida"):
        expect(page.locator("table").first.get_by_text(reading, exact=True).first).to_be_visible()
    told(page, "Refused with 404")
    page.get_by_role("link", name=RULE).first.click()
    told(page, "Index Server extensions")


def test_what_a_client_sent_is_only_ever_text(sight: Sight, gate: Gate) -> None:
    """It is shown as the log shows it; no element comes of it, and nothing runs."""
    page = sight.show("events")
    page.locator("#filter").fill("onerror")
    row = page.locator(".list .row:visible").first
    expect(row).to_contain_text(
        "<img/src=x/onerror=alert(1)>.ida?</script><script>alert(2)</script>&\\xc2\\x9b"
    )
    row.click()
    told(page, "</script><script>alert(2)</script>")
    expect(page.locator("img")).to_have_count(0)
    expect(page.locator("main script")).to_have_count(0)
    name = '"><img src=x onerror=alert(3)>'
    page = sight.show(f"rule/{name}")
    page.goto(f"{sight.base}#/events?q={name}")
    expect(page.locator("#filter")).to_have_value(name)
    expect(page.locator("img")).to_have_count(0)
    assert [fault for fault in sight.faults if "404" not in fault] == []  # no rule is called so
    sight.faults.clear()


def test_a_mode_is_changed_on_all_workers(sight: Sight, gate: Gate) -> None:
    assert refused(gate) == {True}
    page = sight.show(f"rule/{RULE}")
    page.get_by_role("button", name=f"Change… {SITE}").click()
    page.locator("dialog").get_by_label("detect").check()
    written(page, "a trial of two weeks", "佐藤", f'{RULE} = "detect"', "佐藤: detect: a trial of two weeks")
    expect(page.locator("td .tag")).to_have_text("detect")
    assert refused(gate) == {False}
    assert re.search(
        rf'{RULE} = "detect" # \d{{4}}-\d\d-\d\d 佐藤: detect: a trial of two weeks', config(gate)
    )
    status = gate.status
    assert {worker["ruleset"] for worker in status["workers"]} == {status["ruleset"]}
    page.goto(f"{sight.base}#/history")
    expect(page.locator(".change").first).to_contain_text("a trial of two weeks")
    page.goto(f"{sight.base}#/rule/{RULE}")
    page.get_by_role("button", name=f"Change… {SITE}").click()
    page.locator("dialog").get_by_label("block").check()
    written(page, "the trial is over", "佐藤", "block: the trial is over; ")
    assert refused(gate) == {True}


def test_an_exception_for_an_event(sight: Sight, gate: Gate) -> None:
    request = get("/kensaku/search.idq?q=nara")
    with Client(gate.port, source="127.7.50.1") as client:  # one that has no event yet
        event = client.ask(request).event
    until(lambda: gate.admins(f"/events/{event}")[0] == 200)
    page = sight.show(f"event/{event}")
    page.get_by_role("button", name="Propose an exception").click()
    page.get_by_role("button", name="Make this exception").click()
    page.locator("dialog [name=until]").fill("2027-01-31")
    written(
        page, "the search of accounting", "web team", 'path = "/kensaku/search.idq"', "until = 2027-01-31"
    )
    assert refused(gate, request) == {False}
    assert refused(gate) == {True}
    (exception,) = gate.status["sites"][0]["exceptions"]
    assert (exception["owner"], exception["until"]) == ("web team", "2027-01-31")
    told(page, "It passes.")


def test_an_exception_on_a_path_and_one_that_is_refused(sight: Sight, gate: Gate) -> None:
    page = sight.show(f"rule/{RULE}")
    before = config(gate)
    page.get_by_role("button", name="Add an exception").click()
    dialog = page.locator("dialog")
    for name, text in (("path", "no/slash"), ("reason", "why"), ("owner", "who")):
        dialog.locator(f"[name={name}]").fill(text)
    dialog.get_by_role("button", name="Show what changes").click()
    expect(dialog.locator(".note.bad")).to_contain_text("site.exception.path")
    assert config(gate) == before
    assert all("409" in fault for fault in sight.faults)
    sight.faults.clear()
    dialog.locator("[name=path]").fill("/a/*.idq")
    written(page, "why", "who", 'path = "/a/*.idq"')
    assert refused(gate, get("/a/b.idq?q=1")) == {False}
    expect(page.locator("td").filter(has_text="/a/*.idq")).to_be_visible()


VIEWS = ("overview", "events", f"rule/{RULE}", "rules", "history")
FOCUSABLE = "a[href], button:not([disabled]), input:not([disabled]), select, [tabindex='0']"


@pytest.mark.parametrize("view", VIEWS)
def test_every_control_is_reached_by_tab_and_seen(sight: Sight, view: str) -> None:
    page = sight.show(view)
    expect(page.locator("#main .card").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    wanted = page.evaluate(
        f'() => [...document.querySelectorAll("{FOCUSABLE}")].filter(e => e.offsetParent).length'
    )
    page.evaluate("() => document.activeElement.blur()")
    reached, unseen = set(), []
    for _ in range(wanted + 3):
        page.keyboard.press("Tab")
        name, seen = page.evaluate(
            """() => { const e = document.activeElement; e.dataset.reached ||= String(Math.random());
            return [e.dataset.reached, e === document.body ||
              getComputedStyle(e).outlineStyle !== "none"]; }"""
        )
        reached.add(name)
        unseen += [] if seen else [name]
    assert unseen == []
    assert len(reached) >= wanted


def test_the_mode_of_a_site_and_where_the_focus_stays(sight: Sight, gate: Gate) -> None:
    """The overview is drawn anew every few seconds; whoever is on a link of it stays there."""
    page = sight.show("overview")
    link = page.locator(".bars a").filter(has_text=RULE).first
    link.focus()
    page.evaluate("() => { document.activeElement.dataset.old = '1'; }")
    expect(page.locator("[data-old]")).to_have_count(0)
    expect(link).to_be_focused()
    page.get_by_role("button", name=f"Change… {SITE}").click()
    page.locator("dialog").get_by_label("detect").check()
    written(page, "the month's end", "sato", 'mode = "detect"')
    expect(page.locator(".plain .tag")).to_have_text("detect")
    assert gate.status["sites"][0]["mode"] == "detect"


def test_the_list_and_the_dialog_by_keyboard(sight: Sight) -> None:
    page = sight.show("events")
    rows = page.locator(".list .row:visible")
    expect(rows.first).to_be_visible()
    page.locator(".list").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".list .row[aria-selected=true]")).to_have_attribute("aria-posinset", "2")
    page.keyboard.press("Enter")
    told(page, "How the rules in use judge it")
    page.goto(f"{sight.base}#/rule/{RULE}")
    button = page.get_by_role("button", name=f"Change… {SITE}")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(button).to_be_focused()


def test_both_languages(browser: Browser, gate: Gate) -> None:
    sight = Sight(browser, gate.admin, language="ja-JP")
    page = sight.show("overview")
    told(page, "オリジン")
    assert page.title() == "概要 · Stopgap"
    page.get_by_role("link", name="ルール", exact=True).click()
    told(page, "重大度")
    page.get_by_role("button", name="English").click()
    told(page, "Severity")
    assert page.evaluate("() => document.documentElement.lang") == "en"
    page.reload()
    told(page, "Severity")
    sight.close()
    assert sight.faults == []


@pytest.mark.parametrize(("language", "label"), [("en-GB", "2M"), ("ja-JP", "200万")])
def test_large_numbers_fit_the_edge_of_a_chart(
    browser: Browser, gate: Gate, language: str, label: str
) -> None:
    """A storm makes millions a minute, and the axis has room for five characters."""
    sight = Sight(browser, gate.admin, language)
    page = sight.show("")
    expect(page.locator(".uplot").first).to_be_visible()
    assert page.evaluate("async () => (await import('/page/format.js')).short(2_000_000)") == label
    sight.close()
    assert sight.faults == []


def test_both_schemes_and_a_narrow_window(browser: Browser, gate: Gate) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        sight = Sight(browser, gate.admin, scheme=scheme, size=(390, 844))
        for view in VIEWS if scheme == "light" else VIEWS[:1]:
            page = sight.show(view)
            expect(page.locator("#main .card").first).to_be_visible()
            assert page.evaluate("() => document.documentElement.scrollWidth") <= 390, view
        grounds.append(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
        sight.close()
        assert sight.faults == []
    assert grounds[0] != grounds[1]


def test_the_token_is_asked_for(browser: Browser, behind: Origin, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    file.chmod(0o600)
    with guarding(tmp_path, {"origins": behind.url}, admin_token_file="token") as gate:
        sight = Sight(browser, gate.admin)
        page = sight.show("overview")
        told(page, "This gate asks for its token")
        page.get_by_label("Token").fill("wrong-wrong-wrong")
        page.get_by_role("button", name="Enter").click()
        told(page, "That is not the token.")
        page.get_by_label("Token").fill("0123456789abcdef")
        page.get_by_role("button", name="Enter").click()
        told(page, "Origins")
        assert all("401" in fault for fault in sight.faults)
        sight.close()


def test_where_the_file_cannot_be_written_the_command_is_shown(browser: Browser, behind: Origin) -> None:
    site = {"name": SITE, "origins": behind.url, "packs": ["code-red"]}
    with (
        room() as folder,
        guarding(folder, site, before=REACHABLE, **AS_NOBODY) as gate,
    ):
        folder.chmod(0o755 if ROOT else 0o555)
        sight = Sight(browser, gate.admin)
        page = sight.show(f"rule/{RULE}")
        page.get_by_role("button", name=f"Change… {SITE}").click()
        dialog = page.locator("dialog")
        dialog.get_by_label("detect").check()
        dialog.locator("[name=reason]").fill("it's a trial")
        dialog.locator("[name=owner]").fill("sato")
        expect(dialog).to_contain_text(f"may not write in {folder}")
        expect(dialog.get_by_role("button", name="Write and reload")).to_have_count(0)
        command = dialog.locator(".command").inner_text().splitlines()[0]
        assert sight.faults == []
        sight.close()
        folder.chmod(0o755)
        words = shlex.split(command)
        assert words[:2] == ["stopgap", "rules"]
        subprocess.run([PROGRAM, *words[1:]], env=ENVIRONMENT, check=True, capture_output=True, timeout=60)
        assert gate.admins("/reload", "POST")[0] == 200
        assert gate.status["sites"][0]["modes"] == {RULE: "detect"}
