"""Are packs read whole and in order, and is every mistake told with file, line, rule and key?"""

from pathlib import Path

import pytest

from stopgap import config
from stopgap.errors import InputError
from stopgap.ruleset import load

RULE = """\
title = "Ours"

[[rule]]
id = "first"
title = "The first"
servers = "iis5"
match = { extension = "htr" }
block = ['GET /a.htr HTTP/1.0']
pass = [
    'GET /htr HTTP/1.0',
    '''GET / HTTP/1.0
Host: x
''',
]

[[rule]]
id = "second"
title = "The second"
match = { any = [
    { path = { prefix = "/iisadmpwd/" } },
    { basename = "ism.dll" },
] }
block = 'GET /iisadmpwd/ HTTP/1.0'
pass = 'GET / HTTP/1.0'
[rule.compat.tight]
method = "GET"
"""


def write(folder: Path, text: str, name: str = "ours.toml") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return str(folder / name)


def problems(folder: Path, text: str) -> list[str]:
    file = write(folder, text)
    with pytest.raises(InputError) as caught:
        load.pack(file)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_pack(tmp_path: Path) -> None:
    pack = load.pack(write(tmp_path, RULE))
    first, second = pack.rules
    assert (pack.name, pack.title) == ("ours", "Ours")
    assert (first.id, first.line, first.match_line, first.servers) == ("first", 3, 7, ("iis5",))
    assert [vector.line for vector in (*first.block, *first.passes)] == [8, 10, 11]
    assert (second.line, second.severity, second.status) == (16, "medium", None)
    assert second.compat == {"tight": {"field": "method", "test": "equals", "value": ["GET"]}}
    assert first.where(8) == f'{tmp_path}/ours.toml:8: rule "first"'


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("servers =", "server =", 'ours.toml:6: rule "first": server: unknown key; did you mean "servers"?'),
        (
            '"iis5"',
            '"iis55"',
            'ours.toml:6: rule "first": servers: no server table is called "iis55"; did you mean "iis5"?',
        ),
        (
            "extension =",
            "extention =",
            'ours.toml:7: rule "first": match.extention: unknown field; did you mean "extension"?',
        ),
        (
            "basename =",
            "basenam =",
            'ours.toml:21: rule "second": match.any.basenam: unknown field; did you mean "basename"?',
        ),
        (
            "prefix =",
            "prefx =",
            'ours.toml:20: rule "second": match.any.path.prefx: unknown test; did you mean "prefix"?',
        ),
        (
            "method =",
            "methd =",
            'ours.toml:26: rule "second": compat.tight.methd: unknown field; did you mean "method"?',
        ),
        ('id = "first"\n', "", "ours.toml:3: rule 1: id: is missing"),
        (
            'id = "first"',
            'id = "First!"',
            'ours.toml:4: rule "First!": id: must be lower-case letters, digits, `-`, `.` or `_`, at most 64',
        ),
        ('id = "first"', "id = 3", "ours.toml:4: rule 1: id: must be text in quotes, not a whole number"),
        ('title = "The first"\n', "", 'ours.toml:3: rule "first": title: is missing'),
        (
            'title = "The first"',
            'title = "T"\nstatus = 200',
            'ours.toml:6: rule "first": status: 200 is not the status of a refusal (400 to 599)',
        ),
        (
            'title = "The first"',
            'title = "T"\nseverity = "bad"',
            'ours.toml:6: rule "first": severity: "bad" is '
            "unknown; choose one of low, medium, high, critical",
        ),
        (
            "block = ['GET /a.htr HTTP/1.0']",
            "block = [1]",
            'ours.toml:8: rule "first": block: must be text in quotes, not a whole number',
        ),
        ('title = "Ours"', 'titel = "Ours"', 'ours.toml:1: titel: unknown key; did you mean "title"?'),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert problems(tmp_path, RULE.replace(old, new, 1)) == [expected]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = RULE.replace("extension =", "extention =").replace("basename =", "basenam =")
    assert len(problems(tmp_path, text)) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "ours.toml: is empty; a pack holds at least one [[rule]] with id, title, match, block and pass"),
        (
            "a = 1",
            "ours.toml: has no [[rule]]; "
            "a pack holds at least one [[rule]] with id, title, match, block and pass",
        ),
        ("rule = 3", "ours.toml:1: rule: must be a list, not a whole number"),
        ("[rule]\nid = 'x'", "ours.toml:1: rule: must be a list, not a table"),
        ("[[rule]\n", "ours.toml:1, column 7: is not TOML: Expected ']]' at the end of an array declaration"),
    ],
)
def test_files_that_are_no_packs(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text) == [expected]


def test_an_id_used_twice_names_both_places(tmp_path: Path) -> None:
    packs = load.packs_of([write(tmp_path, RULE), write(tmp_path, RULE, "規則.toml")])
    with pytest.raises(InputError) as caught:
        load.assemble(packs, {})
    assert caught.value.problems == (
        f'{tmp_path}/規則.toml:3: rule "first": id: is already used at {tmp_path}/ours.toml:3',
        f'{tmp_path}/規則.toml:16: rule "second": id: is already used at {tmp_path}/ours.toml:16',
    )


def test_what_ships_comes_first_and_folders_in_name_order(tmp_path: Path) -> None:
    write(tmp_path / "rules.d", RULE.replace('"first"', '"b1"').replace('"second"', '"b2"'), "b.toml")
    write(tmp_path / "rules.d", RULE.replace('"first"', '"a1"').replace('"second"', '"a2"'), "a.toml")
    write(tmp_path / "rules.d", "not a pack", "readme.txt")
    file = write(
        tmp_path,
        '[[site]]\nname = "a"\nhosts = "a"\norigins = "http://h"\nrules = "rules.d"\npacks = ["limits"]\n'
        '[[site]]\nname = "b"\nhosts = "b"\norigins = "http://h"\nrules = ["rules.d/b.toml"]\npacks = []\n',
        "stopgap.toml",
    )
    ruleset = load.load(config.load(file))
    ids = [rule.id for rule in ruleset.rules]
    assert ids[-4:] == ["a1", "a2", "b1", "b2"]
    assert [ids[index] for index in ruleset.sites["b"]] == ["b1", "b2"]
    assert [ids[index] for index in ruleset.sites["a"]] == ids
    assert {rule.pack for rule in ruleset.rules} == {"limits", "a", "b"}


def test_a_pack_that_does_not_ship(tmp_path: Path) -> None:
    text = '[[site]]\nname = "a"\norigins = "http://h"\npacks = ["code-rd"]\n'
    read = config.load(write(tmp_path, text, "stopgap.toml"))
    with pytest.raises(InputError) as caught:
        load.load(read)
    assert str(caught.value) == (
        f'{tmp_path}/stopgap.toml:4: site.packs: no pack is called "code-rd"; did you mean "code-red"?'
    )


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    text = '[[site]]\nname = "a"\norigins = "http://h"\nrules = "rules.d"\n'
    read = config.load(write(tmp_path, text, "stopgap.toml"))
    with pytest.raises(InputError) as caught:
        load.load(read)
    at = f"{tmp_path}/stopgap.toml:4: site.rules"
    assert str(caught.value) == f"{at}: {tmp_path}/rules.d: cannot be read: No such file or directory"


PACKS = {
    "one": RULE,
    "two": "policy = true\n" + RULE.replace('"first"', '"third"').replace('"second"', '"fourth"'),
    "coverage": '[[row]]\nid = "V-IDA"\n',
}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, ["first", "second"]),
        ({"strict": True}, ["first", "second", "third", "fourth"]),
        ({"packs": ["two"]}, ["third", "fourth"]),
        ({"packs": ["one"], "strict": True}, ["first", "second", "third", "fourth"]),
        ({"packs": [], "strict": True}, ["third", "fourth"]),
        ({"packs": []}, []),
    ],
)
def test_policy_packs_are_off_unless_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, object], expected: list[str]
) -> None:
    for name, text in PACKS.items():
        write(tmp_path / "packs", text, f"{name}.toml")
    monkeypatch.setattr(load, "PACKS", tmp_path / "packs")
    assert [(one.name, one.policy) for one in load.packaged()] == [("one", False), ("two", True)]
    read = config.load(None, {"origins": ["http://h"], **keys})
    assert [rule.id for rule in load.load(read).rules] == expected


def test_only_the_folder_that_ships_has_a_register(tmp_path: Path) -> None:
    write(tmp_path, RULE, "coverage.toml")
    assert load.pack_files(str(tmp_path)) == [f"{tmp_path}/coverage.toml"]


def test_a_configuration_may_hold_rules_itself(tmp_path: Path) -> None:
    rules = RULE.removeprefix('title = "Ours"\n')
    sites = [f'[[site]]\nname = "{n}"\nhosts = "{n}"\norigins = "http://o"\npacks = []\n' for n in "ab"]
    read = config.load(write(tmp_path, "".join(sites) + rules, "stopgap.toml"))
    ruleset = load.load(read)
    assert [(rule.id, rule.pack, rule.line) for rule in ruleset.rules] == [
        ("first", "stopgap", 12),
        ("second", "stopgap", 25),
    ]
    assert ruleset.sites == {"a": (0, 1), "b": (0, 1)}
    with pytest.raises(InputError, match=r"stopgap.toml:15: rule \"first\": servers: no server table"):
        load.load(
            config.load(write(tmp_path, "".join(sites) + rules.replace('"iis5"', '"iis3"'), "stopgap.toml"))
        )
