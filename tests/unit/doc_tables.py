"""Which tables of the pages in docs/ come from the program itself?

Each stands between `<!-- table: name -->` and `<!-- end of table -->`; `test_docs.py` compares them.
`python -m tests.unit.doc_tables` writes the English ones anew. In the Japanese pages the last column of
`metrics` and `reasons` is a translation, written by hand; the other columns are compared.
"""

from pathlib import Path

from stopgap import _core
from stopgap.admin.metrics import TABLE

DOCS = Path(__file__).parents[2] / "docs"
PLACES = {
    "limits": "configuration.md",
    "deadlines": "configuration.md",
    "metrics": "operating.md",
    "reasons": "operating.md",
}
TRANSLATED = ("metrics", "reasons")
SUFFIXES = {"counter": "_total", "info": "_info"}

END = "<!-- end of table -->"

Rows = list[list[str]]


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


TABLES = {"limits": limits, "deadlines": deadlines, "metrics": metrics, "reasons": reasons}


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
        languages = [DOCS / place] if name in TRANSLATED else [DOCS / place, DOCS / "ja" / place]
        for page in languages:
            before, mark, rest = page.read_text("utf-8").partition(f"<!-- table: {name} -->\n")
            after = rest.partition(END)[2]
            page.write_text(f"{before}{mark}\n{text(TABLES[name]())}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
