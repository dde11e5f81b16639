"""Is nobody harmed? A hundred thousand requests of eight kinds of application, each behind its preset."""

import pytest

from tests.benign.__main__ import COUNT
from tests.benign.applications import APPLICATIONS
from tests.benign.judge import judge


@pytest.mark.parametrize("name", APPLICATIONS)
def test_nothing_is_refused(name: str) -> None:
    outcome = judge(APPLICATIONS[name], COUNT)
    assert not outcome.refused, outcome.examples
    assert outcome.distinct > COUNT * 9 // 10


def test_the_corpus_is_large_enough() -> None:
    assert COUNT * len(APPLICATIONS) >= 100_000


def test_an_attack_in_the_corpus_would_be_seen() -> None:
    name = "classic ASP"
    bad = b"GET /default.ida?NNNN HTTP/1.0\r\nHost: a\r\n\r\n"
    application = APPLICATIONS[name].__class__("iis5-asp", (lambda chance, encoding: bad,))
    assert judge(application, 10).refused.total() == 10
