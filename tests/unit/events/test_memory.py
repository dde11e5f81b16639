"""Are the last events remembered in order, within their number and size, and found again?"""

from stopgap.events.memory import OVERHEAD, ROOM, Memory
from stopgap.gate.messages import EventLine
from tests.unit.admin.source import line


def lines(first: int, last: int) -> list[EventLine]:
    return [line(number) for number in range(first, last + 1)]


def ids(memory: Memory, after: int, limit: int = 100) -> list[int]:
    return [news[0][0] for news in memory.after(after, limit).news]


def test_pages_in_both_directions() -> None:
    memory = Memory(10)
    memory.put(lines(100, 104), 1.0)
    page = memory.after(0, 3)
    assert (page.begin, page.first, page.next) == (0, 0, 5)
    assert page.news == [(line(number), 1.0) for number in (100, 101, 102)]
    assert ids(memory, 3) == [103, 104]
    assert ids(memory, 5) == ids(memory, 99) == []
    page = memory.before(3, 2)
    assert (page.begin, [news[0][0] for news in page.news]) == (1, [101, 102])
    assert memory.before(0, 5).news == []
    assert len(memory.before(1 << 60, 3).news) == 3


def test_the_oldest_go_and_numbers_stay() -> None:
    memory = Memory(10)
    memory.put(lines(0, 24), 1.0)
    page = memory.after(3, 100)
    assert (page.begin, page.first, page.next) == (15, 15, 25)
    assert ids(memory, 3) == list(range(15, 25))
    page = memory.before(3, 100)
    assert (page.begin, page.news) == (15, [])
    memory.most = 4
    memory.put(lines(25, 25), 1.0)
    assert ids(memory, 0) == [22, 23, 24, 25]


def test_size_is_bounded_too() -> None:
    """Large events leave room for fewer of them."""
    memory = Memory(10)
    large = line(1, target=b"x" * ROOM * 3)
    memory.put([large] * 20, 1.0)
    kept = len(memory.after(0, 100).news)
    assert 1 <= kept < 4
    assert memory.size <= 10 * ROOM
    memory.put(lines(0, 9), 1.0)
    assert len(memory.after(0, 100).news) == 10
    assert memory.size < 10 * (ROOM + OVERHEAD)


def test_find_by_id() -> None:
    memory = Memory(100)
    high = (1 << 64) - 1
    memory.put([line(1, count=3), line(1), line(1, count=9), line(256), line(high)], 2.0)
    assert memory.find(1) == (line(1), 2.0)
    assert memory.find(256) == (line(256), 2.0)
    assert memory.find(high) == (line(high), 2.0)
    assert memory.find(2) is None
