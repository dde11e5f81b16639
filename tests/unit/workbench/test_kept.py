"""Are old flows let go, and large answers handed through?"""

import pytest

pytest.importorskip("mitmproxy", reason="mitmproxy needs Python 3.12")

from mitmproxy import flow as flows
from mitmproxy import http
from mitmproxy.test import tflow

from stopgap.workbench.kept import LARGE, OVERHEAD, Kept


class Store:
    """The view of mitmproxy as far as it matters."""

    def __init__(self) -> None:
        self.all: dict[str, flows.Flow] = {}

    def get_by_id(self, flow_id: str) -> flows.Flow | None:
        return self.all.get(flow_id)

    def remove(self, flows: list[flows.Flow]) -> None:
        for flow in flows:
            del self.all[flow.id]


def done(store: Store, kept: Kept, size: int = 0) -> http.HTTPFlow:
    """A flow that went through."""
    flow = tflow.tflow(resp=True, live=False)
    flow.request.raw_content = b""
    flow.response = http.Response.make(200, b"x" * size)
    store.all[flow.id] = flow
    kept.request(flow)
    kept.response(flow)
    return flow


def test_the_oldest_go_first() -> None:
    store = Store()
    kept = Kept(store, 3, 10**9)
    made = [done(store, kept) for _ in range(5)]
    assert list(store.all) == [flow.id for flow in made[2:]]


def test_bytes_count() -> None:
    store = Store()
    kept = Kept(store, 100, 4 * OVERHEAD)
    made = [done(store, kept, OVERHEAD // 2) for _ in range(4)]
    assert list(store.all) == [flow.id for flow in made[2:]]


def test_what_is_held_or_on_its_way_stays() -> None:
    store = Store()
    kept = Kept(store, 1, 10**9)
    first, second = done(store, kept), tflow.tflow()
    first.intercept()
    store.all[second.id] = second
    kept.request(second)
    third = done(store, kept)
    assert list(store.all) == [first.id, second.id, third.id]
    first.resume()
    second.live = False
    assert list(store.all) == [first.id, second.id, third.id]
    fourth = done(store, kept)
    assert list(store.all) == [fourth.id]


def test_a_flow_that_the_operator_removed_is_forgotten() -> None:
    store = Store()
    kept = Kept(store, 2, 10**9)
    gone = done(store, kept)
    del store.all[gone.id]
    made = [done(store, kept) for _ in range(2)]
    assert list(store.all) == [flow.id for flow in made]


@pytest.mark.parametrize("length", [str(LARGE + 1), "", "what"])
def test_large_answers_are_handed_through_and_their_beginning_is_kept(length: str) -> None:
    kept = Kept(Store(), 10, 10**9)
    flow = tflow.tflow(resp=True)
    assert flow.response
    flow.response.raw_content = None
    flow.response.headers["content-length"] = length
    kept.responseheaders(flow)
    through = flow.response.stream
    assert callable(through)
    chunk = b"a" * (LARGE // 2 + 1)
    assert through(chunk) == through(chunk) == chunk
    kept.response(flow)
    assert flow.response.raw_content == b"a" * LARGE


def test_small_answers_are_kept_whole() -> None:
    kept = Kept(None, 10, 10**9)
    flow = tflow.tflow(resp=True)
    assert flow.response
    flow.response.raw_content = None
    flow.response.headers["content-length"] = str(LARGE)
    kept.responseheaders(flow)
    assert not flow.response.stream
    kept.response(flow)
