"""Does a held body come back as it was, from memory and from disk?"""

import asyncio
from pathlib import Path

from stopgap.gate.spool import ALL_MEMORY, LITTLE, MEMORY, OBJECT, Held, Spool, pump, spill
from tests.unit.gate.fakes import House


def test_stays_in_memory() -> None:
    spool = Spool(None, Held())
    body = b"a" * (MEMORY - OBJECT)
    assert not spool.add(body)
    assert spool.add(b"b")
    assert b"".join(spool.take()) == body + b"b"
    assert (spool.size, spool.file, spool.read()) == (0, None, b"")


def test_goes_to_disk_and_to_the_origin(tmp_path: Path) -> None:
    house = House()
    upstream, wire = house.idle()
    spool = Spool(str(tmp_path), Held())
    body = bytes(range(256)) * 4096
    errors: list[OSError | None] = []
    spool.add(body)
    asyncio.run(spill(spool, errors.append))
    assert spool.size == 0 and spool.file is not None
    assert list(tmp_path.iterdir()) == [], "the file has no name"
    spool.add(b"rest")
    asyncio.run(pump(spool, upstream, errors.append))
    assert wire.take() == body + b"rest"
    assert errors == [None, None] and spool.file is None


def test_disk_error_is_told() -> None:
    spool = Spool("/nonexistent", Held())
    spool.add(bytes(MEMORY + 1))
    errors: list[OSError | None] = []
    asyncio.run(spill(spool, errors.append))
    assert isinstance(errors[0], FileNotFoundError)


def test_pump_stops_when_the_origin_is_gone() -> None:
    house = House()
    upstream, wire = house.idle()
    spool = Spool(None, Held())
    spool.write([b"x" * 1000])
    upstream.drop()
    errors: list[OSError | None] = []
    asyncio.run(pump(spool, upstream, errors.append))
    assert wire.take() == b"" and spool.file is None


def test_many_bodies_go_to_disk_sooner() -> None:
    held = Held()
    spools = [Spool(None, held) for _ in range(ALL_MEMORY // MEMORY)]
    for spool in spools:
        assert not spool.add(bytes(MEMORY - OBJECT))
    late = Spool(None, held)
    assert not late.add(bytes(LITTLE - OBJECT))
    assert late.add(b"x")
    spools[0].close()
    assert not late.heavy
    for spool in (late, *spools[1:]):
        spool.take()
    assert held.size == 0
