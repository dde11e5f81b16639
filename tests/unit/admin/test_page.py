"""Is the dashboard whole, is nothing in it run from a text, and does it speak two languages?"""

import re

from stopgap.admin.page import FILES, FOLDER, POLICY

OWN = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir() if path.is_file()}
SCRIPTS = {name: text for name, text in OWN.items() if name.endswith(".js")}
WORDS = re.compile(r'"?([\w.-]+)"?:\s+"((?:[^"\\]|\\.)*)"')


def test_every_file_is_served() -> None:
    assert OWN.keys() <= FILES.keys()
    assert {"uPlot.iife.min.js", "uPlot.min.css", "uPlot.LICENSE.txt"} <= FILES.keys()
    asked = re.findall(r'(?:src|href)="page/([^"]+)"', OWN["index.html"])
    asked += [name for text in SCRIPTS.values() for name in re.findall(r'from "\./([^"]+)"', text)]
    assert {name for name in asked if name not in FILES} == set()


def test_nothing_is_run_or_read_as_markup_from_a_text() -> None:
    wrong = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|srcdoc"
    )
    vendor = {path.name: path.read_text("utf-8") for path in (FOLDER / "vendor").glob("*.js")}
    assert {name for name, text in (SCRIPTS | vendor).items() if wrong.search(text)} == set()
    assert not re.search(r"\son\w+=|<style|style=|<script(?! src=)", OWN["index.html"])


def test_nothing_is_asked_of_another_host() -> None:
    addresses = [
        (name, found) for name, text in OWN.items() for found in re.findall(r"https?://[\w./-]+", text)
    ]
    assert addresses == [("icon.svg", "http://www.w3.org/2000/svg")]  # a name, which nobody looks up
    assert "default-src 'none'" in POLICY and "unsafe" not in POLICY and "http" not in POLICY


def test_both_languages_have_the_same_words() -> None:
    english, japanese = (dict(WORDS.findall(SCRIPTS[f"words.{code}.js"])) for code in ("en", "ja"))
    assert english.keys() == japanese.keys()
    differing = [
        key
        for key in english
        if set(re.findall(r"{\d}", english[key])) != set(re.findall(r"{\d}", japanese[key]))
    ]
    assert differing == []


def test_every_word_that_is_used_is_there() -> None:
    english = dict(WORDS.findall(SCRIPTS["words.en.js"]))
    used = {key for text in SCRIPTS.values() for key in re.findall(r'\bt\(\s*"([\w.-]+)"', text)}
    assert len(used) > 100
    assert used - english.keys() == set()
