"""Do paths that differ in a number become one pattern, which covers them all, and others not?"""

import pytest

from stopgap.forensics.caught import Group
from stopgap.forensics.merging import MERGED, merged

MANY = MERGED + 1


def paths(*given: str, name: str = "words") -> list[str]:
    return [one.path for one in merged(Group(0, name, path, requests=1) for path in given)]


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("/r/a{}.asp", "/r/*.asp"),
        ("/r/{}", "/r/*"),
        ("/r{}/y.idq", "/*/y.idq"),
        ("/r/{}/a.asp", "/r/*/a.asp"),
        ("/r/{0}/a{0}.asp", "/r/*/*.asp"),
        ("/{}.asp", "/*.asp"),
        ("/日/報{}.asp", "/日/*.asp"),
    ],
)
def test_alike(form: str, wanted: str) -> None:
    many = [form.format(number) for number in range(MANY)]
    assert paths(*many) == [wanted]
    assert sorted(paths(*many[:MERGED])) == sorted(many[:MERGED])


def test_what_is_not_alike() -> None:
    some = [f"/r{number}/a{number}/b{number}.asp" for number in range(MANY)]
    assert sorted(paths(*some)) == sorted(some)
    odd = [f"/r/**/a{number}" for number in range(MANY)]
    assert sorted(paths(*odd)) == sorted(odd)
    sizes = [f"/r/a{number}.asp" for number in range(MANY)]
    assert len(paths(*sizes, name="query-too-long")) == MANY


def test_what_is_counted_together() -> None:
    groups = [Group(0, "words", f"/r/{n}.asp", n + 1, {f"10.0.0.{n % 2}"}, {str(n)}) for n in range(MANY)]
    other = Group(1, "words", "/r/0.asp", 1)
    one, last = merged([*groups, other])
    assert (one.requests, one.clients, len(one.days)) == (
        MANY * (MANY + 1) // 2,
        {"10.0.0.0", "10.0.0.1"},
        MANY,
    )
    assert last is other


def test_the_order_is_always_the_same() -> None:
    groups = [Group(0, name, path, 3) for name in "ba" for path in ("/x/b/c", "/a", "/y/a")]
    told = [(one.name, one.path) for one in merged(groups)]
    assert told == [(one.name, one.path) for one in merged(reversed(groups))]
    assert told[0] == ("a", "/a")
