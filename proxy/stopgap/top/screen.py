"""How does the live view look, and what do its keys do?

One column of figures above six tables; it needs 80 columns and 24 lines, no mouse and no colours. What came
from a client is printable already (`stopgap.events.schema`) and never read as markup.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult, ScreenStackError
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.css.query import NoMatches
from textual.screen import ModalScreen, Screen
from textual.widgets import DataTable, Footer, Input, Sparkline, Static, TabbedContent, TabPane
from textual.worker import get_current_worker

from stopgap.errors import printable
from stopgap.events.schema import Event
from stopgap.top.figures import Figures, Past, Row, Sample, shown

MOST_EVENTS = 200
"""Events that the table shows, the last first."""
COLUMNS = {
    "events": ("time", "what", "rule or reason", "client", "request (Enter shows all of it)"),
    "rules": ("rule", "a second", "since start of top"),
    "reasons": ("reason", "a second", "since start of top"),
    "clients": ("network", "events of the last 1,000"),
    "sites": ("site", "mode", "requests/s", "refused/s", "detected/s"),
    "origins": ("origin", "site", "is", "busy", "idle", "error"),
}

FACTS = (
    *(("event", "event_id"), ("time", "timestamp"), ("was", "event_action"), ("reason", "reason")),
    *(("tier", "tier"), ("says", "event_reason"), ("rule", "rule_id"), ("title", "rule_name")),
    *(("site", "site"), ("mode", "mode"), ("client", "client"), ("method", "method"), ("host", "host")),
    *(("target", "target"), ("length", "target_length"), ("reading", "reading"), ("offset", "offset")),
    *(("status", "status"), ("agent", "agent"), ("repeats", "count"), ("from", "event_start")),
    *(("to", "event_end"), ("detection", "cause")),
)

Take = Callable[[], Sample]


class NoSample(Exception):
    """The gate does not answer; the text says why."""


class Detail(ModalScreen[None]):
    """Everything about one event."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "app.pop_screen", "Back")]

    def __init__(self, event: Event) -> None:
        super().__init__()
        self._told = event

    def compose(self) -> ComposeResult:
        text = Text()
        for label, key in FACTS:
            if value := getattr(self._told, key):
                text.append(f"{label:<10}", "dim").append(f"{printable(str(value))}\n")
        text.append(f"\nstopgap explain --event {self._told.event_id}", "bold")
        text.append(" shows its readings; Esc goes back")
        with VerticalScroll():
            yield Static(text, id="facts")
        yield Footer()


class Top(App[None]):
    """The view. `take` asks the gate and is called in a thread of its own."""

    TITLE = "stopgap top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head, #rates { height: 1; padding: 0 1; }
    #lines { height: 2; layout: horizontal; padding: 0 1; }
    Sparkline { width: 1fr; height: 2; margin-right: 1; }
    #refusals > .sparkline--max-color { color: $error; }
    TabbedContent { height: 1fr; }
    TabPane { padding: 0; }
    DataTable { height: 1fr; }
    #filter { height: 1; border: none; display: none; padding: 0 1; }
    Detail VerticalScroll { padding: 1 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("p", "pause", "Pause"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "unfilter", "Show all"),
        Binding("ctrl+c", "quit", show=False, priority=True),
        *(Binding(str(n), f"tab('{name}')", show=False) for n, name in enumerate(COLUMNS, 1)),
    ]

    def __init__(self, take: Take, where: str, seconds: float) -> None:
        super().__init__()
        self._take, self._where, self._seconds = take, where, seconds
        self._past = Past()
        self._sample: Sample | None = None
        self._filter = ""
        self._paused = self._asking = False
        self._listed: list[Event] = []
        self._filled: dict[str, list[tuple[str, ...]]] = {}

    def compose(self) -> ComposeResult:
        yield Static(Text(f"asking {self._where} ..."), id="head")
        yield Static(Text(""), id="rates")
        with VerticalScroll(id="lines", can_focus=False):
            yield Sparkline([0.0], id="traffic")
            yield Sparkline([0.0], id="refusals")
        with TabbedContent(initial="events"):
            for number, (name, columns) in enumerate(COLUMNS.items(), 1):
                with TabPane(f"{number} {name}", id=name):
                    table: DataTable[Text] = DataTable(id=f"{name}-table", cursor_type="row")
                    table.add_columns(*columns)
                    yield table
        yield Input(placeholder="words that an event must hold; Enter takes them, Esc shows all", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#events-table").focus()
        self._ask()
        self.set_interval(self._seconds, self._ask)

    def _ask(self) -> None:
        """Take a sample, unless one is under way."""
        if not (self._paused or self._asking):
            self._asking = True
            self._asked()

    @work(thread=True)
    def _asked(self) -> None:
        """Off the thread that draws."""
        try:
            sample = self._take()
        except NoSample as error:
            self._back(self._silent, str(error))
        else:
            self._back(self._heard, sample)

    def _back(self, show: Callable[..., None], what: object) -> None:
        """Show it on the thread that draws, unless the view is over."""
        self._asking = False
        if not get_current_worker().is_cancelled:
            self.call_from_thread(self._if_there, show, what)

    def _if_there(self, show: Callable[..., None], what: object) -> None:
        """While the view is taken down its parts go one by one."""
        with suppress(NoMatches, ScreenStackError):
            show(what)

    @property
    def _base(self) -> Screen[object]:
        """The view itself, also while an event is shown above it."""
        return self.screen_stack[0]

    def _silent(self, why: str) -> None:
        if self._paused:
            return
        head = Text(f"no gate answers on {self._where}: {why}; asking again", "bold red")
        self._base.query_one("#head", Static).update(head)

    def _heard(self, sample: Sample) -> None:
        if self._paused:
            return
        self._sample = sample
        figures = self._past.add(sample)
        self._base.query_one("#head", Static).update(head(sample.status))
        self._base.query_one("#rates", Static).update(rates(figures, sample.status))
        for name, history in zip(("traffic", "refusals"), figures.history, strict=True):
            self._base.query_one(f"#{name}", Sparkline).data = list(history)
        self._fill("rules", [_row(row) for row in figures.rules])
        self._fill("reasons", [_row(row) for row in figures.reasons])
        self._fill("clients", [(row.name, f"{row.total:,}") for row in figures.networks])
        self._fill("sites", sites(figures, sample.status))
        self._fill("origins", origins(sample.status))
        self._list()

    def _list(self) -> None:
        """The events that the filter lets through, the last first."""
        events = self._sample.events if self._sample else ()
        self._listed = [event for event in reversed(events) if shown(event, self._filter)][:MOST_EVENTS]
        self._fill("events", [line(event) for event in self._listed])

    def _fill(self, name: str, rows: list[tuple[str, ...]]) -> None:
        """Replace the rows of a table, if they have changed; the cursor stays where it is."""
        if self._filled.get(name) == rows:
            return
        self._filled[name] = rows
        table = self._base.query_one(f"#{name}-table", DataTable)
        row, scroll = table.cursor_row, table.scroll_y
        table.clear()
        for cells in rows:
            table.add_row(*(Text(printable(cell)) for cell in cells))
        table.move_cursor(row=min(row, max(len(rows) - 1, 0)), animate=False, scroll=False)
        table.scroll_to(y=scroll, animate=False)

    def on_data_table_row_selected(self, chosen: DataTable.RowSelected) -> None:
        """Enter on an event."""
        if chosen.data_table.id == "events-table" and chosen.cursor_row < len(self._listed):
            self.push_screen(Detail(self._listed[chosen.cursor_row]))

    def action_tab(self, name: str) -> None:
        self._base.query_one(TabbedContent).active = name
        self._base.query_one(f"#{name}-table").focus()

    def action_pause(self) -> None:
        self._paused = not self._paused
        self.sub_title = "paused" if self._paused else ""
        if self._paused:
            self._base.query_one("#head", Static).update(Text("paused; p goes on", "bold yellow"))
        else:
            self._ask()

    def action_filter(self) -> None:
        self.action_tab("events")
        box = self._base.query_one("#filter", Input)
        box.display = True
        box.focus()

    def action_unfilter(self) -> None:
        box = self._base.query_one("#filter", Input)
        box.value, box.display = "", False
        self._filter = ""
        self._list()
        self._base.query_one("#events-table").focus()

    def on_input_changed(self, changed: Input.Changed) -> None:
        self._filter = changed.value
        self._list()

    def on_input_submitted(self) -> None:
        self._base.query_one("#filter", Input).display = bool(self._filter)
        self._base.query_one("#events-table").focus()


def head(status: Any) -> Text:
    """The first line: what the gate is."""
    up = int(status["uptime_seconds"])
    text = Text.assemble(
        f"stopgap {status['version']} ",
        (status["state"], "bold green" if status["ready"] else "bold yellow"),
        f" for {up // 3600}:{up // 60 % 60:02}:{up % 60:02}, ruleset {status['ruleset'][:8] or 'none yet'}",
    )
    if not status["reload"]["ok"]:
        text.append(", last reload refused", "bold red")
    if status.get("rolled_back"):
        text.append(", rolled back", "bold yellow")
    return text


def rates(figures: Figures, status: Any) -> Text:
    """The second line: how much a second."""
    down = sum(not origin["up"] for site in status["sites"] for origin in site["origins"])
    clients = sum(worker["clients"] for worker in status["workers"])
    text = Text.assemble(
        ("requests ", "dim"),
        f"{figures.requests:,.1f}/s",
        ("  refused ", "dim"),
        (f"{figures.refused:,.1f}/s", "red" if figures.refused else ""),
        ("  detected ", "dim"),
        f"{figures.detected:,.1f}/s",
        ("  clients ", "dim"),
        f"{clients:,}",
    )
    if down:
        text.append(f"  origins DOWN: {down}", "bold red")
    return text


def line(event: Event) -> tuple[str, ...]:
    """An event in the table; what is longest comes last."""
    what = event.event_action + (f" x{event.count}" if event.count else "")
    request = f"{event.method} {event.target}".strip()
    return event.timestamp[11:19], what, event.rule_id or event.reason, event.client, request


def sites(figures: Figures, status: Any) -> list[tuple[str, ...]]:
    modes = {
        site["name"]: f"canary {site['canary']} %" if site["mode"] == "canary" else site["mode"]
        for site in status["sites"]
    }
    return [
        (name, modes[name], *(f"{number:,.1f}" for number in numbers)) for name, *numbers in figures.sites
    ]


def origins(status: Any) -> list[tuple[str, ...]]:
    return [
        (
            *(origin["url"], site["name"], "up" if origin["up"] else "DOWN", str(origin["busy"])),
            *(str(origin["idle"] + origin["pinned"]), origin["error"]),
        )
        for site in status["sites"]
        for origin in site["origins"]
    ]


def _row(row: Row) -> tuple[str, ...]:
    return row.name, f"{row.rate:,.1f}", f"{row.total:,}"
