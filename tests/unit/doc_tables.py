"""Which tables of the pages in docs/ come from the program itself?

Each stands between `<!-- table: name -->` and `<!-- end of table -->`; `test_docs.py` compares them.
`make docs` writes them anew. In the Japanese pages the last column of `metrics` is a translation, written by
hand; the other columns are compared.
"""

from pathlib import Path

from stopgap import _core
from stopgap.admin.metrics import TABLE
from stopgap.config import preset
from stopgap.ruleset.formats import FORMATS
from stopgap.ruleset.sentences import JAPANESE

DOCS = Path(__file__).parents[2] / "docs"
PLACES = {
    "presets": "configuration.md",
    "limits": "configuration.md",
    "deadlines": "configuration.md",
    "metrics": "operating.md",
    "reasons": "operating.md",
    "formats": "import-export.md",
}
TRANSLATED = ("metrics",)
SUFFIXES = {"counter": "_total", "info": "_info"}

END = "<!-- end of table -->"

Rows = list[list[str]]


def presets() -> Rows:
    made = [preset.named(name) for name in preset.names()]
    return [["Preset", "Server", "For"]] + [
        [f"`{one.name}`", f"`{one.keys.get('server', 'any')}`", one.title] for one in made
    ]


def limits() -> Rows:
    servers = _core.servers()
    columns = {server: _core.limits(server) for server in servers}
    keys = list(columns[servers[0]])
    return [["", *(f"`{name}`" for name in servers)]] + [
        [f"`{key}`", *(str(columns[server][key]) for server in servers)] for key in keys
    ]


def deadlines() -> Rows:
    return [["", "default"]] + [[f"`{key}`", f"{value:g}"] for key, value in _core.deadlines().items()]


def metrics() -> Rows:
    return [["Metric", "Kind", "Labels", ""]] + [
        [f"`{name}{SUFFIXES.get(kind, '')}`", kind, " ".join(f"`{label}`" for label in labels), text]
        for name, (kind, labels, text) in TABLE.items()
    ]


def reasons() -> Rows:
    return [["Reason", "Tier", "Status", "IIS", ""]] + [
        [f"`{name}`", tier, str(status), iis, sentence]
        for name, tier, status, iis, sentence in _core.reasons()
    ]


def formats() -> Rows:
    return [["Format", "In", "Out", ""]] + [
        [f"`{name}`", "import" if one.reads else "", "export" if one.writes else "", one.title]
        for name, one in FORMATS.items()
    ]


TABLES = {
    "presets": presets,
    "limits": limits,
    "deadlines": deadlines,
    "metrics": metrics,
    "reasons": reasons,
    "formats": formats,
}


def presets_in_japanese() -> Rows:
    made = [preset.named(name) for name in preset.names()]
    return [["プリセット", "サーバー", "対象"]] + [
        [f"`{one.name}`", f"`{one.keys.get('server', 'any')}`", one.title_ja] for one in made
    ]


def reasons_in_japanese() -> Rows:
    return [["理由", "段階", "状態", "IIS", ""]] + [
        [f"`{name}`", tier, str(status), iis, JAPANESE[name]]
        for name, tier, status, iis, _ in _core.reasons()
    ]


IN_JAPANESE = {**TABLES, "presets": presets_in_japanese, "reasons": reasons_in_japanese}


def text(rows: Rows) -> str:
    """The rows as Markdown."""
    numbers = all(cell.replace(".", "").isdigit() for cell in rows[1][1:])
    rule = ["---", *(["---:"] if numbers else ["---"]) * (len(rows[0]) - 1)]
    cells = [
        [cell.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*") for cell in row] for row in rows
    ]
    return "".join("| " + " | ".join(row) + " |\n" for row in [cells[0], rule, *cells[1:]])


def shown(page: Path, name: str) -> str:
    """The table as it stands in a page; "" when the page has none of this name."""
    return page.read_text("utf-8").partition(f"<!-- table: {name} -->\n")[2].partition(END)[0].strip() + "\n"


def main() -> None:
    for name, place in PLACES.items():
        tables = {DOCS / place: TABLES[name]}
        if name not in TRANSLATED:
            tables[DOCS / "ja" / place] = IN_JAPANESE[name]
        for page, table in tables.items():
            before, mark, rest = page.read_text("utf-8").partition(f"<!-- table: {name} -->\n")
            after = rest.partition(END)[2]
            page.write_text(f"{before}{mark}\n{text(table())}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
