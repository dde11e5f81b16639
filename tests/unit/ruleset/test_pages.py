"""Has every rule and every reason a page that says all that is known of it, and are old pages removed?"""

from pathlib import Path

import msgspec
import pytest

from stopgap import _core
from stopgap.ruleset import load, pages
from stopgap.ruleset.model import Pack
from stopgap.ruleset.remedies import FOR_LIMITS, REMEDIES
from stopgap.ruleset.sentences import JAPANESE

PACKS = load.packaged()
MADE = pages.made(PACKS)
RULE = """
title = "Own"
[[rule]]
id = "own"
title = "A `title` with *stars* | and a bar"
title_ja = "題"
why = "Because of x_y_z."
refs = ["CVE-2001-0500", "somebody's word"]
match = { extension = "own" }
block = ["GET /a.own HTTP/1.0", '''
POST /b.own HTTP/1.0
Content-Length: 3

```
''']
pass = ["GET / HTTP/1.0"]
"""


def pack_of(folder: Path, text: str) -> Pack:
    (folder / "own.toml").write_text(text, "utf-8")
    return load.pack(str(folder / "own.toml"))


def plain(page: str) -> str:
    """A page without the backslashes that keep its text from Markdown."""
    return page.replace("\\", "")


def test_every_rule_has_a_page() -> None:
    for pack in PACKS:
        for rule in pack.rules:
            page = MADE[f"rules/{rule.id}.md"]
            for vector in (*rule.block, *rule.passes):
                assert vector.text.strip("\n") in page
            assert f"| [{rule.id}]({rule.id}.md) |" in MADE["rules/index.md"]
            assert rule.title_ja in plain(MADE["rules/index.md"])


def test_every_reason_has_a_page_with_a_sentence_in_both_languages() -> None:
    for name, tier, status, iis, sentence in _core.reasons():
        page = plain(MADE[f"reasons/{name}.md"])
        assert JAPANESE[name] in page
        assert plain(sentence) in page
        assert f"| Tier | {tier} |" in page
        assert f"| Status | {status} |" in page
        assert iis in page
        assert f"[{name}]({name}.md)" in MADE["reasons/index.md"]


def test_every_tier_and_limit_has_a_remedy() -> None:
    assert {tier for _, tier, *_ in _core.reasons()} | {FOR_LIMITS} <= REMEDIES.keys()
    assert "`path`" in MADE["reasons/path-too-long.md"]
    assert "No exception can help" in MADE["reasons/bad-chunk.md"]
    assert 'rule = "get-with-body"' in MADE["reasons/get-with-body.md"]


def test_a_rule_and_its_reason_lead_to_each_other() -> None:
    assert "404, [extension-denied](../reasons/extension-denied.md)" in MADE["rules/ida-idq.md"]
    assert "[ida-idq](../rules/ida-idq.md)" in MADE["reasons/extension-denied.md"]
    assert "414, [path-too-long](../reasons/path-too-long.md)" in MADE["rules/long-path.md"]
    assert "raise `path` in `[site.limits]`" in MADE["rules/long-path.md"]
    assert '`compat = "tight"`' in MADE["rules/ida-idq.md"]


def test_what_markdown_would_read_is_escaped(tmp_path: Path) -> None:
    made = pages.made([pack_of(tmp_path, RULE)])
    assert r"# A \`title\` with \*stars\* | and a bar / 題" in made["rules/own.md"]
    assert r"x\_y\_z" in made["rules/own.md"]
    assert "````text\nGET /a.own" in made["rules/own.md"]
    assert r"stars\* \| and a bar" in made["rules/index.md"]


@pytest.mark.parametrize(
    ("ref", "target"),
    [
        ("CVE-2001-0500", "https://www.cve.org/CVERecord?id=CVE-2001-0500"),
        ("MS98-019", "https://learn.microsoft.com/en-us/security-updates/securitybulletins/1998/ms98-019"),
        ("MS15-034", "https://learn.microsoft.com/en-us/security-updates/securitybulletins/2015/ms15-034"),
        ("RFC 9112", "https://www.rfc-editor.org/rfc/rfc9112"),
        ("KB123456", "https://support.microsoft.com/help/123456"),
        ("https://example.org/x", "https://example.org/x"),
    ],
)
def test_references_lead_somewhere(ref: str, target: str) -> None:
    assert pages.linked(ref) == f"[{ref}]({target})"
    assert pages.linked("a_word") == r"a\_word"


def test_only_what_changed_is_written_and_what_is_gone_is_removed(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, RULE)
    docs = tmp_path / "docs"
    assert pages.write(docs, [pack]) == (len(pages.made([pack])), 0)
    assert pages.write(docs, [pack]) == (0, 0)
    (docs / "rules" / "by-hand.md").write_text("# Mine\n", "utf-8")
    other = msgspec.structs.replace(pack, rules=(msgspec.structs.replace(pack.rules[0], id="new"),))
    assert pages.write(docs, [other]) == (3, 1)  # the page, the index, and the reason that names the rule
    assert sorted(path.name for path in (docs / "rules").iterdir()) == ["by-hand.md", "index.md", "new.md"]


def test_remedies_where_no_link_can_be_followed() -> None:
    told = [pages.unlinked(pages.remedy(reason)) for reason in pages.reasons().values()]
    assert [text for text in told if "](" in text] == []
    assert pages.unlinked("a [`[b]`](c#d) e [f g](h)") == "a `[b]` e f g"
