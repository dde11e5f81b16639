"""Are exceptions narrowed to their compat mode, over after their day, and warned of where they open much?"""

import datetime
from pathlib import Path

import pytest

from stopgap.errors import ConfigError, InputError
from stopgap.ruleset import load, spec, vectors
from stopgap.ruleset.exceptions import Resolved, resolve
from tests.unit.ruleset.builders import config_of

TODAY = datetime.date(2027, 1, 15)
SITE = '[[site]]\nname = "a"\norigins = "http://h"\nserver = "iis5"\n[[site.exception]]\nreason = "why"\n'


def resolved(folder: Path, text: str) -> Resolved:
    read = config_of(folder, SITE + text)
    return resolve(read, 0, load.load(read).rules, TODAY)


def test_tight_is_the_default(tmp_path: Path) -> None:
    found = resolved(tmp_path, 'rule = "ida-idq"\npath = "/search/*.idq"\nowner = "web team"\n')
    (ida,) = (rule for pack in load.packaged() for rule in pack.rules if rule.id == "ida-idq")
    (made,) = found.exceptions
    assert len(made.pop("id")) == 8
    assert made == {"rule": "ida-idq", "path": "/search/*.idq", "clients": (), "when": ida.compat["tight"]}
    assert (found.reasons, found.warnings) == (("why (web team)",), ())


@pytest.mark.parametrize(("compat", "mode"), [("relaxed", "relaxed"), ("none", None)])
def test_named_modes(tmp_path: Path, compat: str, mode: str | None) -> None:
    found = resolved(tmp_path, f'rule = "ida-idq"\npath = "/a"\ncompat = "{compat}"\n')
    (ida,) = (rule for pack in load.packaged() for rule in pack.rules if rule.id == "ida-idq")
    assert found.exceptions[0]["when"] == (ida.compat[mode] if mode else None)
    opened = f'{tmp_path}/stopgap.toml:5: site "a": exception to "ida-idq" has compat = "none": '
    assert found.warnings == (
        () if mode else (opened + "what the rule protects is open to every request it covers",)
    )


def test_a_rule_without_the_usual_mode_is_not_opened_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        '[[rule]]\nid = "own"\ntitle = "t"\nmatch = { extension = "x" }\nblock = "GET /a.x HTTP/1.0"\n'
        'pass = "GET / HTTP/1.0"\ncompat = { short = { query = { length = { under = 9 } } } }\n',
        "utf-8",
    )
    named = SITE.replace("[[site.exception]]", 'rules = "own.toml"\n[[site.exception]]', 1)
    read = config_of(tmp_path, named + 'rule = "own"\npath = "/a.x"\n')
    with pytest.raises(ConfigError, match='compat: is missing; choose one of short, none for "own"'):
        spec.build(read, load.load(read), spec.Registry(), TODAY)


def test_fields_are_told_apart_from_their_names(tmp_path: Path) -> None:
    found = resolved(tmp_path, 'rule = "worm-backdoor"\npath = "/a"\nfields = ["param.a.b", "header.X"]\n')
    assert found.exceptions[0]["fields"] == [
        {"field": "param", "name": "a.b"},
        {"field": "header", "name": "X"},
    ]


def test_an_id_stays_while_what_it_covers_does(tmp_path: Path) -> None:
    def ident(text: str) -> object:
        return resolved(tmp_path, f'rule = "worm-backdoor"\npath = "/a"\n{text}').exceptions[0]["id"]

    first = ident("")
    assert ident('owner = "me"\nuntil = 2027-01-20\n') == first
    assert ident('clients = ["192.0.2.1", "192.0.2.2"]\n') == ident('clients = ["192.0.2.2", "192.0.2.1"]\n')
    assert len({first, ident('clients = "192.0.2.1"\n'), ident('fields = "param.q"\n')}) == 3


@pytest.mark.parametrize(
    ("until", "warned"),
    [
        ("2027-01-15", ()),
        (
            "2027-01-14",
            ('exception to "short-name" ended on 2027-01-14: it is no longer in force; remove or renew it',),
        ),
    ],
)
def test_the_last_day(tmp_path: Path, until: str, warned: tuple[str, ...]) -> None:
    found = resolved(tmp_path, f'rule = "short-name"\npath = "/a"\nuntil = {until}\n')
    assert found.warnings == tuple(f'{tmp_path}/stopgap.toml:5: site "a": {text}' for text in warned)
    assert len(found.exceptions) == (0 if warned else 1)


def test_an_exception_for_everything_is_warned_of(tmp_path: Path) -> None:
    found = resolved(tmp_path, 'rule = "worm-backdoor"\n')
    assert found.warnings == (
        f'{tmp_path}/stopgap.toml:5: site "a": exception to "worm-backdoor" has neither path nor clients: '
        "it covers every request of the site",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'rule = "ida-idx"',
            'rule: "ida-idx" is neither a rule of site "a" nor an ambiguous reason; did you mean "ida-idq"?',
        ),
        ('rule = "bad-chunk"', 'rule: "bad-chunk" is neither a rule of site "a" nor an ambiguous reason'),
        (
            'rule = "target-too-long"',
            'rule: "target-too-long" is a limit; raise target in [site.limits] instead',
        ),
        ('rule = "long-query"', 'rule: "long-query" is a limit; raise query in [site.limits] instead'),
        (
            'rule = "body-on-get"',
            'rule: "body-on-get" only labels a reason; name the reason instead: get-with-body',
        ),
        (
            'rule = "ida-idq"\ncompat = "loose"',
            'compat: "ida-idq" has no compat "loose"; known: tight, relaxed, none',
        ),
        (
            'rule = "short-name"\nfields = "param.q"',
            'fields: "short-name" is a reason of the whole request; only a rule can be judged ',
        ),
        ('rule = "short-name"\ncompat = "tight"', 'compat: "short-name" has no compat "tight"; known: none'),
    ],
)
def test_mistakes(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        resolved(tmp_path, text + "\n")
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path}/stopgap.toml:5: site.exception.{expected}")


IDQ = "/search/query.idq"


@pytest.mark.parametrize(
    ("compat", "request_text", "passes"),
    [
        ("tight", f"GET {IDQ}?CiRestriction=nara&CiScope=/ HTTP/1.0", True),
        ("tight", f"GET {IDQ}?q={{a*150}} HTTP/1.0", True),
        ("tight", f"GET {IDQ}?q={{a*240}} HTTP/1.0", False),
        ("tight", f"GET {IDQ}?q=%u9090 HTTP/1.0", False),
        ("tight", f"GET {IDQ}?q=%25u9090 HTTP/1.0", False),
        ("tight", f"HEAD {IDQ} HTTP/1.0", False),
        ("tight", "GET /other/query.idq HTTP/1.0", False),
        ("tight", "GET /search/../x.idq HTTP/1.0", False),
        ("tight", "GET /search/x.ida/query.idq HTTP/1.0", False),
        ("tight", f"GET {IDQ}?CiTemplate=../../a HTTP/1.0", False),
        ("tight", f"GET {IDQ}?CiTemplate=/search/a.htx HTTP/1.0", True),
        ("tight", f"POST {IDQ} HTTP/1.0\nContent-Length: 150\n\n{{a*150}}", True),
        ("tight", f"POST {IDQ} HTTP/1.0\nContent-Length: 240\n\n{{a*240}}", False),
        ("tight", f"POST {IDQ} HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\nf0\n{{a*240}}\n0\n\n", False),
        ("tight", f"POST {IDQ} HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n3\na=b\n0\n\n", False),
        ("relaxed", f"GET {IDQ}?CiRestriction={{a*400}} HTTP/1.0", True),
        ("relaxed", f"GET {IDQ}?CiRestriction={{a*600}} HTTP/1.0", False),
        ("relaxed", f"GET {IDQ}?{{N*224}}=a HTTP/1.0", False),
        ("relaxed", f"GET {IDQ}?a=b&{{%4E*100}}=a HTTP/1.0", False),
        ("relaxed", f"GET {IDQ}?q=%u9090 HTTP/1.0", False),
        ("relaxed", f"GET {IDQ}?%95%5C=a HTTP/1.0", False),
        ("relaxed", f"GET {IDQ}?q=%95%5C HTTP/1.0", True),
    ],
)
def test_what_the_modes_let_through(tmp_path: Path, compat: str, request_text: str, passes: bool) -> None:
    read = config_of(tmp_path, SITE + f'rule = "ida-idq"\npath = "/search/*.idq"\ncompat = "{compat}"\n')
    built = spec.build(read, load.load(read), spec.Registry(), TODAY)
    verdict = spec.compiled(built).judge(vectors.request(request_text), 0)
    assert (verdict is None) == passes


@pytest.mark.parametrize(
    ("path", "target", "passes"),
    [
        ("/検索/*.idq", "/%8C%9F%8D%F5/a.idq", True),
        ("/検索/*.idq", "/%E6%A4%9C%E7%B4%A2/a.idq", True),
        ("/検索/表.idq", "/%8C%9F%8D%F5/%95%5C.idq", True),
        ("/検索/*.idq", "/%8C%9F%8D%F5/%95%5C.idq", False),  # in Latin-1 the 5C ends a segment
        ("/検索/*.idq", "/%8C%9F%8D%F6/a.idq", False),
        ("/検索/*.idq", "/a/a.idq", False),
        ("/検索/*.idq", "/%8C%9F%8D%F5/../a.idq", False),
        ("/検索/*.idq", "/%8C%9F%8D%F5/b/a.idq", False),
    ],
)
def test_a_japanese_path_is_covered_in_every_reading(
    tmp_path: Path, path: str, target: str, passes: bool
) -> None:
    site = SITE.replace("[[site.", "codepage = 932\n[[site.")
    read = config_of(tmp_path, f'{site}rule = "ida-idq"\npath = "{path}"\n')
    built = spec.build(read, load.load(read), spec.Registry(), TODAY)
    verdict = spec.compiled(built).judge(vectors.request(f"GET {target}?q=x HTTP/1.0"), 0)
    assert (verdict is None) == passes


FIELDS_PACK = """
[[rule]]
id = "evil"
title = "T"
match = { any = [
    { param = { value = { contains = "evil" } } },
    { form = { value = { contains = "evil" } } },
    { header = { referer = { contains = "evil" } } },
    { cookie = { c = { contains = "evil" } } },
] }
"""


@pytest.mark.parametrize(
    ("fields", "request_text", "passes"),
    [
        ('"param.q"', "GET /a?q=evil HTTP/1.0", True),
        ('"param.q"', "GET /a?q=evil&p=evil HTTP/1.0", False),
        ('"param.q"', "GET /a?q=evil HTTP/1.0\nReferer: evil", False),
        ('"param.q"', "GET /b?q=evil HTTP/1.0", False),
        ('"header.Referer"', "GET /a HTTP/1.0\nREFERER: evil", True),
        ('"cookie.c"', "GET /a HTTP/1.0\nCookie: b=1; c=evil", True),
        ('"cookie.c", "param.q"', "GET /a?q=evil HTTP/1.0\nCookie: c=evil", True),
        ('"form.q"', "POST /a HTTP/1.0\nContent-Length: 6\n\nq=evil", True),
        ('"form.q"', "POST /a?q=evil HTTP/1.0\nContent-Length: 6\n\nq=evil", False),
    ],
)
def test_a_field_that_may_hold_anything(tmp_path: Path, fields: str, request_text: str, passes: bool) -> None:
    (tmp_path / "ours.toml").write_text(FIELDS_PACK, "utf-8")
    site = SITE.replace("[[site.", 'packs = []\nrules = "ours.toml"\n[[site.')
    read = config_of(tmp_path, f'{site}rule = "evil"\npath = "/a"\nfields = [{fields}]\n')
    built = spec.build(read, load.load(read), spec.Registry(), TODAY)
    verdict = spec.compiled(built).judge(vectors.request(request_text), 0)
    assert (verdict is None) == passes
