"""Do the content view and the commands work within mitmproxy?"""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mitmproxy", reason="mitmproxy needs Python 3.12")

from mitmproxy import contentviews, exceptions, http
from mitmproxy.addons.view import View
from mitmproxy.contentviews import Metadata
from mitmproxy.test import tflow

from stopgap.workbench.verdicts import CAME, RAW, note
from stopgap.workbench.view import Commands, StopgapContentview, asked
from tests.unit.workbench.talk import held, judge

RAW_REQUEST = b"GET /x.%2569da HTTP/1.1\r\nHost: kaikei.test\r\n\r\n"


def refused() -> http.HTTPFlow:
    flow = tflow.tflow(resp=True, live=False)
    note(flow, judge().ask(RAW_REQUEST), CAME)
    return flow


def test_the_view_explains_and_opens_on_the_page() -> None:
    flow = refused()
    view = StopgapContentview(judge())
    told = view.prettify(b"", Metadata(flow=flow))
    assert "verdict   refused with 404 (IIS 404.7): extension-denied" in told
    assert view.render_priority(b"", Metadata(flow=flow, http_message=flow.response)) == 2
    assert view.render_priority(b"", Metadata(flow=flow, http_message=flow.request)) < 0
    assert view.render_priority(b"", Metadata()) < 0
    with pytest.raises(ValueError, match="only HTTP"):
        view.prettify(b"", Metadata(flow=tflow.ttcpflow()))


def test_the_bytes_that_came_count_before_what_mitmproxy_holds() -> None:
    flow = refused()
    assert asked(judge(), flow).request == RAW_REQUEST
    del flow.metadata[RAW]
    assert asked(judge(), flow).request.startswith(b"GET /path HTTP/1.1\r\n")


def test_commands(tmp_path: Path) -> None:
    async def test(tctx: Any) -> None:
        view, flow = View(), refused()
        tctx.master.addons.add(view, Commands(judge()))
        view.add([flow])
        call = tctx.master.commands.call_strings
        assert contentviews.registry["stopgap"].name == "Stopgap"
        chosen = f"~comment {flow.metadata['workbench.event']}"
        assert "rule      ida-idq" in call("stopgap.explain", [chosen])
        path = tmp_path / "new.toml"
        told = call("stopgap.vector", [chosen, "block", str(path)])
        assert "block = ['GET /x.%2569da HTTP/1.1']" in told
        assert path.read_text() == told + "\n"
        assert 'rule = "ida-idq"' in call("stopgap.exception", [chosen, "search page", "sato"])
        for wrong, message in [
            (["stopgap.vector", chosen, "no"], "no kind of vector"),
            (["stopgap.explain", "~comment nothing"], "0 flows are meant; name one"),
            (["stopgap.exception", chosen, ""], "give a reason"),
        ]:
            with pytest.raises(exceptions.CommandError, match=message):
                call(wrong[0], wrong[1:])

    held(test)
