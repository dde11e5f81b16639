"""What does a rule look like as maps of nginx: bits of tests, cases, groups, words that are too long?"""

import re

from stopgap.ruleset.formats import nginx
from tests.unit.ruleset.formats.making import rule, site


def test_tests_are_bits_and_cases_are_patterns_of_them() -> None:
    text = nginx.write(
        site(), [rule({"path": "/a", "not": {"host": "b"}, "any": [{"method": "A"}, {"query": "c"}]})]
    ).text
    assert re.search(r'map "\$\w+_1a\$\w+_1b:\$\w+_2a:\$\w+_3a:\$\w+_4a" \$stopgap_\d+ \{', text)
    assert r'"~\A0*1[01]*:0+:0*1[01]*:[01]+\z" "ours ";' in text
    assert r'"~\A0*1[01]*:0+:[01]+:0*1[01]*\z" "ours ";' in text


def test_what_measures_looks_at_the_decoded_path_alone() -> None:
    assert "map $stopgap_raw $" in nginx.write(site(), [rule({"path": "/a"})]).text
    assert "map $stopgap_raw $" not in nginx.write(site(), [rule({"path": {"length": {"over": 9}}})]).text


def test_a_word_too_long_for_nginx_is_told() -> None:
    exported = nginx.write(site(), [rule({"path": "/" + "%" * 2000})])
    assert "ours" not in exported.text
    assert "nginx reads no word of" in str(exported.report[-1])


def test_very_many_rules_are_put_together_in_groups() -> None:
    rules = [rule({"method": f"M{number}"}, f"r{number}") for number in range(nginx.TOGETHER + 1)]
    text = nginx.write(site(), rules).text
    assert 'map "$stopgap_group_1$stopgap_group_2" $stopgap {' in text
    assert max(map(len, re.findall(r'"[^"]*"', text))) < nginx.LONGEST
