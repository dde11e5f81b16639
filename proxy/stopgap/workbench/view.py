"""How is a flow explained in the viewer, and which commands does the command bar know?

The content view "Stopgap" shows every reading and finding of a request in place of a body; it opens by itself
on the page with which a request was refused. The commands work on flows as all of mitmproxy's do:
`stopgap.vector "~comment 5f1c2a9be0d34417" block`.
"""

from collections.abc import Callable, Sequence

from mitmproxy import contentviews, exceptions, flow, http
from mitmproxy.addonmanager import Loader
from mitmproxy.contentviews import Contentview, Metadata

from stopgap.errors import InputError
from stopgap.workbench import messages, notes
from stopgap.workbench.judge import Judge, Judged
from stopgap.workbench.verdicts import REFUSED, came


class StopgapContentview(Contentview):
    """The explanation of the request that a message belongs to."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """Every reading, everything found, and the verdict."""
        if not isinstance(metadata.flow, http.HTTPFlow):
            raise ValueError("only HTTP has verdicts")
        return self._judge.told(asked(self._judge, metadata.flow)).plain

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        """Of itself only for the page of the gate."""
        refused = metadata.flow is not None and metadata.flow.marked == REFUSED
        return 2 if refused and isinstance(metadata.http_message, http.Response) else -1


class Commands:
    """The commands, for mitmweb's command bar and mitmproxy's prompt."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def load(self, loader: Loader) -> None:
        """The addon is put in."""
        contentviews.add(StopgapContentview(self._judge))
        loader.add_command("stopgap.explain", self.explain)
        loader.add_command("stopgap.vector", self.vector)
        loader.add_command("stopgap.exception", self.exception)

    def explain(self, flows: Sequence[flow.Flow]) -> str:
        """Tell every reading of a request, what matched where, and the verdict."""
        return self._judge.told(asked(self._judge, _one(flows))).plain

    def vector(self, flows: Sequence[flow.Flow], kind: str, path: str = "") -> str:
        """Write a request as a vector of a pack: kind is block or pass. PATH: append it to this file."""
        judged = asked(self._judge, _one(flows))
        return _told(lambda: notes.vector(self._judge, judged, kind), path)

    def exception(self, flows: Sequence[flow.Flow], reason: str, owner: str = "", path: str = "") -> str:
        """Write the narrowest [[site.exception]] that lets a request pass. PATH: append it to this file."""
        judged = asked(self._judge, _one(flows))
        return _told(lambda: notes.exception(self._judge, judged, reason, owner), path)


def asked(judge: Judge, one: http.HTTPFlow) -> Judged:
    """The verdict of now about what came, or about what mitmproxy holds where that is not known."""
    known = came(one)
    return judge.ask(messages.written(one) if known is None else known)


def _one(flows: Sequence[flow.Flow]) -> http.HTTPFlow:
    chosen = [one for one in flows if isinstance(one, http.HTTPFlow)]
    if len(chosen) != 1:
        raise exceptions.CommandError(
            f'{len(chosen)} flows are meant; name one, such as "~comment 5f1c2a9be0d34417" by its event\'s id'
        )
    return chosen[0]


def _told(make: Callable[[], str], path: str) -> str:
    """What was made, also at the end of the file `path`."""
    try:
        text = make()
        if path:
            notes.append(path, text)
    except InputError as error:
        raise exceptions.CommandError(str(error)) from None
    return text
