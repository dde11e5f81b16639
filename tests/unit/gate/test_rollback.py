"""Does a rollback bring an older ruleset back, whole and checked, and leave the files as they are?"""

from pathlib import Path

import msgspec

from tests.unit.gate.test_supervisor import Gate


def test_a_rollback_leaves_the_files_and_a_reload_takes_them_again(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        ask, first = gate.supervisor.ask, gate.supervisor.status.ruleset
        gate.write(mode="detect")
        assert ask("reload").ok
        second = gate.supervisor.status.ruleset
        answer = ask("rollback")
        assert (answer.ok, answer.text) == (True, f"rolled back from {second}: ruleset {first}, 0 rules")
        status = gate.supervisor.status
        assert (status.ruleset, status.rolled_back, status.sites[0].mode) == (first, second, "block")
        assert gate.versions() == {first}
        assert 'mode = "detect"' in gate.file.read_text("utf-8")
        assert not ask("rollback").ok
        assert ask(f"rollback {second[:6]}").ok
        assert (gate.supervisor.status.ruleset, gate.supervisor.status.rolled_back) == (second, "")
        assert ask("rollback").ok
        assert ask("reload").ok
        assert (gate.supervisor.status.ruleset, gate.supervisor.status.rolled_back) == (second, "")
        assert [one.version for one in gate.supervisor.rulesets()] == [first, second]

    assert Gate(tmp_path, "good").run(script) == 0


def test_a_reload_to_the_version_that_was_judged(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        ask, first = gate.supervisor.ask, gate.supervisor.status.ruleset
        gate.write(mode="detect")
        refused = ask(f"reload {first}")
        assert not refused.ok
        assert "not reloaded, nothing has changed: the files give " in refused.text
        assert f", and {first} is wanted" in refused.text
        assert (gate.supervisor.status.ruleset, gate.supervisor.status.sites[0].mode) == (first, "block")
        assert ask("reload").ok
        second = gate.supervisor.status.ruleset
        gate.write(mode="block")
        assert ask(f"reload {first}").ok
        assert gate.supervisor.status.ruleset == first != second
        assert gate.versions() == {first}

    assert Gate(tmp_path, "good").run(script) == 0


def test_rollbacks_go_back_one_by_one(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        versions = [gate.supervisor.status.ruleset]
        for drain in (6.0, 7.0):
            gate.write(drain=drain)
            assert gate.supervisor.ask("reload").ok
            versions.append(gate.supervisor.status.ruleset)
        for version in (versions[1], versions[0]):
            assert gate.supervisor.ask("rollback").ok
            assert gate.supervisor.status.ruleset == version
            assert gate.supervisor.status.rolled_back == versions[2]

    assert Gate(tmp_path, "good").run(script) == 0


def test_a_rollback_that_cannot_be_changes_nothing(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        before = gate.supervisor.status
        answer = gate.supervisor.ask("rollback")
        assert (answer.ok, "no ruleset before" in answer.text) == (False, True)
        answer = gate.supervisor.ask("rollback 0123")
        assert (answer.ok, 'no kept version begins with "0123"' in answer.text) == (False, True)
        assert gate.supervisor.status.reload == before.reload

    assert Gate(tmp_path, "good").run(script) == 0


def test_no_rollback_while_a_vector_fails(tmp_path: Path) -> None:
    """A kept ruleset whose vectors do not hold (another version of Stopgap kept it) is not used."""
    bad = (
        '[[rule]]\nid = "own"\ntitle = "T"\nmatch = { extension = "own" }\n'
        'block = "GET /x HTTP/1.0"\npass = "GET / HTTP/1.0"\n'
    )

    def script(gate: Gate) -> None:
        before = gate.supervisor.status.ruleset
        (one,) = gate.supervisor.rulesets()
        texts = {name: text + bad * name.endswith("stopgap.toml") for name, text in one.texts.items()}
        file = tmp_path / "state" / "rulesets" / "bad.json"
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(one, version="bad", texts=texts)))
        answer = gate.supervisor.ask("rollback bad")
        assert not answer.ok
        assert "not rolled back, nothing has changed: " in answer.text
        assert 'rule "own": block' in answer.text
        assert gate.versions() == {before}

    assert Gate(tmp_path, "good", state="state").run(script) == 0


def test_a_restart_remembers_what_was_kept(tmp_path: Path) -> None:
    first = Gate(tmp_path, "good", state="state")
    assert first.run(lambda gate: None) == 0
    version = first.supervisor.handover.activate.version

    def script(gate: Gate) -> None:
        gate.write(drain=9.0)
        assert gate.supervisor.ask("reload").ok
        assert gate.supervisor.ask("rollback").ok
        assert gate.supervisor.status.ruleset == version

    assert Gate(tmp_path, "good", state="state").run(script) == 0
