"""What does the gate say of each flow, and what becomes of it?

The addon judges a request when it is complete, from the bytes that came. Comment, marker and metadata of the
flow say what was found. A request that the operator holds is judged once more if it was changed. Then it is
carried out as the gate does: the block page and no word to the origin, or the bytes that the gate would send.
"""

import logging
from typing import Any

from mitmproxy import flow as flows
from mitmproxy import hooks, http
from mitmproxy.connection import Client
from mitmproxy.master import Master

from stopgap.config import Address
from stopgap.events import flows as evidence
from stopgap.ruleset.explain import shown
from stopgap.workbench import messages
from stopgap.workbench.judge import Judge, Judged
from stopgap.workbench.wire import Room, Wire

LOG = logging.getLogger("stopgap.workbench")
OURS = "stopgap: "
"""What stands before our part of a comment; what stands before that is the operator's, or of the evidence."""
BEHIND = " | "
MARKERS = {"passes": "", "detected": ":eyes:", "stripped": ":scissors:", "incomplete": ":question:"}
REFUSED = ":no_entry:"
CAME, HELD = "as it came", "as mitmproxy holds it"
MOST_BYTES = 64 * 1024
"""Of the bytes of a request that are kept in its flow's metadata."""
RAW = "workbench.request"
"""The key of the metadata that holds the bytes of a request."""


class Verdicts:
    """Judges every flow; `origin` None: there is nothing to send to."""

    def __init__(self, judge: Judge, room: Room, origin: Address | None, master: Master) -> None:
        self.judge = judge
        self.wire = Wire(room, self._asked)
        self._origin = origin
        self._master = master

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """A request is judged as a whole, so none is streamed."""
        flow.request.stream = False

    async def request(self, flow: http.HTTPFlow) -> None:
        """The request is complete, or read from a file, or sent again.

        mitmproxy goes on without an addon that fails: what could not be judged is not sent.
        """
        try:
            await self._judge(flow)
        except Exception:
            if flow.killable:
                flow.kill()
            raise

    async def _judge(self, flow: http.HTTPFlow) -> None:
        before = messages.written(flow)
        if not flow.live:
            known = came(flow)
            note(flow, self._asked(before if known is None else known), HELD if known is None else CAME)
            return
        recorder = None if flow.is_replay else self.wire.of(flow.client_conn)
        judged = self._asked(recorder.request_bytes if recorder else before, flow.client_conn)
        note(flow, judged, CAME if recorder else HELD)
        if flow.intercepted:
            self._master.addons.trigger(hooks.UpdateHook([flow]))
            await flow.wait_for_resume()
            after = messages.written(flow)
            if after != before:
                judged = self._asked(after, flow.client_conn)
                note(flow, judged, HELD)
        if flow.killable:
            self._carry_out(flow, judged)

    def error(self, flow: http.HTTPFlow) -> None:
        """A request that mitmproxy did not take, or that broke off."""
        if "workbench.fate" in flow.metadata or not flow.live:
            return
        recorder = self.wire.of(flow.client_conn)
        if recorder:
            note(flow, recorder.judged(), CAME)

    def _carry_out(self, flow: http.HTTPFlow, judged: Judged) -> None:
        if judged.answer:
            flow.response = messages.response(judged.answer)
        elif judged.answer is not None:
            flow.kill()
        elif self._origin is None:
            LOG.warning("there is no origin to send %s to; start with --origin", flow.request.path)
            flow.kill()
        else:
            request = flow.request
            request.data.host, request.data.port = self._origin.host, self._origin.port
            request.scheme = "https" if self._origin.tls else "http"
            messages.take(flow, judged.sent)

    def _asked(self, request: bytes, client: Client | None = None) -> Judged:
        """Ask the judge; what it found goes to the log. A client that is there may be one of an exception."""
        address = client.peername[0] if client and client.peername else "127.0.0.1"
        judged = self.judge.ask(request, address, bool(client and client.tls))
        if judged.event:
            LOG.info("%s: %s", said(judged), shown(request.partition(b"\r\n")[0].decode("latin-1")))
        return judged


def came(flow: flows.Flow) -> bytes | None:
    """The bytes of a flow's request as they came, where the workbench or the evidence of a gate kept them."""
    kept = [flow.metadata.get(key) for key in (RAW, evidence.RAW)]
    return next((raw for raw in kept if isinstance(raw, bytes)), None)


def note(flow: flows.Flow, judged: Judged, which: str) -> None:
    """Write into a flow what was found; `which` bytes were judged."""
    own = flow.comment.partition(OURS)[0].removesuffix(BEHIND)
    flow.comment = f"{own}{BEHIND if own else ''}{OURS}{said(judged)}"
    if not own:
        flow.marked = MARKERS.get(judged.fate, REFUSED)
    facts: dict[str, Any] = {"fate": judged.fate, "bytes": which}
    if event := judged.event:
        facts |= {"reason": event.reason, "tier": event.tier, "mode": event.mode, "event": event.event_id}
        facts |= {"rule": event.rule_id, "reading": reading(judged), "offset": event.offset}
    if len(judged.request) <= MOST_BYTES:
        facts["request"] = judged.request
    kept = {key: value for key, value in flow.metadata.items() if not key.startswith("workbench.")}
    flow.metadata = {**kept, **{f"workbench.{key}": value for key, value in facts.items()}}


def said(judged: Judged) -> str:
    """The verdict in one line."""
    event = judged.event
    if event is None:
        return judged.fate
    status = f" with {event.status}" if event.status else ""
    rule = f", rule {event.rule_id} ({event.rule_name})" if event.rule_id else ""
    where = f", read as {read}" if (read := reading(judged)) else ""
    mode = "" if event.mode == "block" else f", mode {event.mode}"
    return f"{event.event_action}{status}: {event.reason}{rule}{where}{mode}, event {event.event_id}"


def reading(judged: Judged) -> str:
    """The reading of the path in which the verdict was found, with its steps."""
    verdict, readings = judged.seen.verdict, judged.seen.readings
    if verdict is None or verdict.reading >= len(readings):
        return ""
    one = readings[verdict.reading]
    return f"{shown(one.path)} [{' > '.join(one.steps) or 'as it came'}]"
