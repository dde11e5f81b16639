"""Do the packs find what stands in a spelling that only IIS reads?

Rows of the catalogue (P..., U...) that no rule is about: they say how a rule must read what it looks at.
"""

from typing import Any

import pytest

from stopgap import _core
from tests.policies import rule, site, specification

WORD: dict[str, Any] = {"field": "query", "test": "contains", "value": ["exec("]}
FIELD: dict[str, Any] = {"field": "form", "same": [{"on": "value", "test": "contains", "value": ["exec("]}]}
NAME: dict[str, Any] = {"field": "extension", "test": "equals", "value": ["ida"]}


def policy(match: dict[str, Any], server: str, page: int) -> _core.Policy:
    return _core.Policy(specification([site(server, (page,))], [rule("one", match)]))


@pytest.mark.parametrize("server", ["iis4", "iis5", "iis6", "any"])
@pytest.mark.parametrize("text", [b"exec(", b"e%xec(", b"%e%xe%c(", b"e%78ec(", b"e%%78ec("])
def test_p7_a_stray_percent_hides_no_word(text: bytes, server: str) -> None:
    """Classic ASP drops a percent sign that no digits follow."""
    query = b"GET /a.asp?q=" + text + b" HTTP/1.0\r\nHost: vector.test\r\n\r\n"
    assert policy(WORD, server, 1252).judge(query) is not None
    form = (
        b"POST /a.asp HTTP/1.0\r\nHost: vector.test\r\nContent-Length: %d\r\n\r\nq=" % (len(text) + 2) + text
    )
    assert policy(FIELD, server, 1252).judge(form) is not None


@pytest.mark.parametrize("server", ["iis4", "iis5"])
def test_u2_four_bytes_are_also_read_by_the_page(server: str) -> None:
    """IIS 4 and 5 decode at most three bytes of UTF-8: four are what the code page makes of them."""
    steps = {
        tuple(steps)
        for _, _, steps, _ in _core.readings(b"/a%f0%90%8d%88.htm", server, [1252])
        if "utf8" not in steps
    }
    assert any("cp1252" in one for one in steps)
    hidden = b"GET /a%f0%90%8d%88.%69da HTTP/1.0\r\nHost: vector.test\r\n\r\n"
    assert policy(NAME, server, 1252).judge(hidden) is not None
