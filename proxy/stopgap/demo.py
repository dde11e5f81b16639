"""What can one try Stopgap on without an old Windows?

A pretend IIS 5: it answers on loopback as an English and Japanese site of 2001 would, code page 932
and all, and it has the hole: whatever reaches `.ida` is answered with "the worm got through". What it
received is shown by `/received.asp`. It is no server for anything but trying.

`python -m stopgap.demo [--port N]` prints its URL on the first line and then one line a request on
standard error.
"""

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, quote, unquote_to_bytes

CODEPAGE: Final = "cp932"
JAPANESE_NAME: Final = "会計"
DOWNLOAD: Final = bytes(range(256)) * 4096
"""1 MiB."""

Page = tuple[int, str, bytes]
"""Status, content type, body."""

_FRAME: Final = """<html><head><title>{title}</title></head>
<body bgcolor="#ffffff"><h1>{title}</h1>
{body}
<hr><address>Pretend Internet Information Server 5.0</address></body></html>
"""


def _page(title: str, body: str, status: int = 200) -> Page:
    html = _FRAME.format(title=title, body=body)
    return status, "text/html; charset=Shift_JIS", html.encode(CODEPAGE, "xmlcharrefreplace")


def _home(request: "Handler", body: bytes) -> Page:
    links = [
        ("/ja/", "日本語のページ"),
        (f"/ja/{quote(JAPANESE_NAME.encode(CODEPAGE))}.asp", f"{JAPANESE_NAME} (Shift_JIS)"),
        ("/form.asp", "a form"),
        ("/download/setup.exe", "a download of 1 MiB"),
        ("/received.asp?name=%93%FA%96%7B", "what this server received"),
        ("/default.ida?NNNNNNNN%u9090=a", "Code Red"),
    ]
    return _page(
        "Intranet", "<ul>" + "".join(f'<li><a href="{to}">{text}</a>' for to, text in links) + "</ul>"
    )


def _japanese(request: "Handler", body: bytes) -> Page:
    return _page(
        "社内ポータル", "<p>ようこそ。<p>表、予定、能力、ソース: 二バイト目が「\\」の文字も通ります。"
    )


def _accounts(request: "Handler", body: bytes) -> Page:
    return _page(JAPANESE_NAME, "<p>仕訳一覧: 該当するデータはありません。")


def _form(request: "Handler", body: bytes) -> Page:
    if request.command != "POST":
        fields = '<input name="name" value="山田"> <input type="submit" value="送信">'
        return _page("Form", f'<form method="post" action="/form.asp">{fields}</form>')
    given = parse_qs(body.decode("latin-1"), encoding=CODEPAGE, errors="replace")
    name = ", ".join(given.get("name", [])).replace("&", "&amp;").replace("<", "&lt;")
    return _page("Form", f"<p>こんにちは、{name} さん。({len(body)} bytes)")


def _download(request: "Handler", body: bytes) -> Page:
    return 200, "application/octet-stream", DOWNLOAD


def _received(request: "Handler", body: bytes) -> Page:
    text = f"{request.requestline}\n{request.headers}{len(body)} bytes of body\n"
    return 200, "text/plain; charset=iso-8859-1", text.encode("latin-1", "replace")


def _worm(request: "Handler", body: bytes) -> Page:
    return _page("HELLO!", "<p>The worm got through: a patch is missing, and nothing stood in front.")


PAGES: Final[dict[str, Callable[["Handler", bytes], Page]]] = {
    "/": _home,
    "/default.asp": _home,
    "/ja/": _japanese,
    f"/ja/{JAPANESE_NAME}.asp": _accounts,
    "/form.asp": _form,
    "/download/setup.exe": _download,
    "/received.asp": _received,
}
HOLE: Final = (".ida", ".idq")


def _names(path: bytes) -> set[str]:
    """The path as this server may read it: UTF-8 first, then its code page, as IIS 5 does."""
    names = set()
    for codec in ("utf-8", CODEPAGE):
        try:
            names.add(path.decode(codec).lower())
        except UnicodeDecodeError:
            continue
    return names


def answer(request: "Handler", body: bytes) -> Page:
    """The page for a request."""
    names = _names(unquote_to_bytes(request.path.partition("?")[0].encode("latin-1")))
    if any(segment.endswith(HOLE) for name in names for segment in name.split("/")):
        return _worm(request, body)
    for name in names:
        if name in PAGES:
            return PAGES[name](request, body)
    return _page("The page cannot be found", "<p>HTTP 404 - File not found", 404)


class Handler(BaseHTTPRequestHandler):
    """One connection to the pretend server."""

    protocol_version = "HTTP/1.1"

    def version_string(self) -> str:
        return "Microsoft-IIS/5.0"

    def log_message(self, format: str, *args: object) -> None:
        line = (format % args).encode("ascii", "backslashreplace").decode()
        print(f"pretend IIS 5: {line}", file=sys.stderr, flush=True)

    def respond(self) -> None:
        """Answer one request, with its body for POST."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, kind, content = answer(self, body)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = respond


class Server(ThreadingHTTPServer):
    """The pretend server; `url` says where it is."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes a free one. Raises OSError."""
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def main() -> None:
    """Entry point of `python -m stopgap.demo`."""
    parser = argparse.ArgumentParser(
        prog="python -m stopgap.demo", description="A pretend IIS 5 on loopback."
    )
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    with Server(parser.parse_args().port) as server:
        print(server.url, flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
