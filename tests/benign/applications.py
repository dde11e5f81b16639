"""Which requests do the applications behind Stopgap really get? One generator for each preset.

Written from what the applications document and from how browsers and Office of their time behave; each
request is whole, and none of them means harm. `APPLICATIONS` says which site it is sent to.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

from tests.benign import words

Make = Callable[[Random, str], bytes]
HOST = "intra.example.jp"
ASP_NAMES = words.VOCABULARY["parameters"].split()
FILES = words.VOCABULARY["files"].split()
TEMPORARY = words.VOCABULARY["temporary"].split()
DOCUMENTS = words.VOCABULARY["documents"].split()


def browser(chance: Random) -> dict[str, str]:
    """The headers that a browser sends with everything."""
    headers = {"Host": HOST, "User-Agent": chance.choice(words.AGENTS), "Accept": chance.choice(words.TYPES)}
    rest = {
        "Accept-Language": chance.choice(words.LANGUAGES),
        "Accept-Encoding": chance.choice(words.ENCODINGS),
        "Connection": "Keep-Alive",
        "Referer": f"http://{HOST}/{chance.choice(words.ENGLISH)}/default.asp?id={chance.randint(1, 999)}",
        "Cookie": words.cookies(chance),
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
    }
    headers |= {name: value for name, value in rest.items() if chance.random() < 0.6}
    if chance.random() < 0.15:
        headers["Authorization"] = words.credentials(chance)
    return headers


def request(
    chance: Random,
    method: str,
    target: str,
    extra: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> bytes:
    """A whole request as a browser would write it, HTTP/1.0 now and then."""
    headers = browser(chance) | dict(extra or {})
    if body is not None:
        headers["Content-Length"] = str(len(body))
    version = "1.0" if chance.random() < 0.1 else "1.1"
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def folder(chance: Random, encoding: str, most: int = 3) -> str:
    return "".join("/" + words.name(chance, encoding) for _ in range(chance.randint(0, most)))


def static(chance: Random, encoding: str) -> bytes:
    """A page, a picture, a document; fresh or not, whole or in part."""
    path = f"{folder(chance, encoding)}/{words.name(chance, encoding)}.{chance.choice(FILES)}"
    target = chance.choice(
        (path, path, path, folder(chance, encoding) + "/", f"{path}?{chance.randint(1, 10**9)}")
    )
    extra = chance.choice(
        (
            {},
            {
                "If-Modified-Since": "Thu, 09 Aug 2001 03:14:15 GMT; length=3412",
                "If-None-Match": '"0d94a1b2c7c01:8ac"',
            },
            {"Range": f"bytes={chance.randint(0, 99_999)}-"},
            {"Range": "bytes=0-1023,4096-8191", "If-Range": '"0d94a1b2c7c01:8ac"'},
            {"Range": "bytes=-500"},
        )
    )
    return request(chance, chance.choice(("GET", "GET", "GET", "HEAD")), target, extra)


def asp_page(chance: Random, encoding: str) -> bytes:
    stem = chance.choice(
        ("default", "list", "detail", "search", "login", "kensaku", "ichiran", words.name(chance, encoding))
    )
    target = f"{folder(chance, encoding, 2)}/{stem}.asp"
    if chance.random() < 0.8:
        target += "?" + words.query(chance, ASP_NAMES, encoding)
    return request(chance, "GET", target)


def form(chance: Random, encoding: str, extension: str = "asp", names: list[str] | None = None) -> bytes:
    """A form, url-encoded in the page's encoding."""
    chosen = chance.sample(names or ASP_NAMES, chance.randint(1, 8))
    fields = "&".join(
        f"{one}={words.parameter(chance, words.text(chance, encoding), encoding)}" for one in chosen
    )
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return request(
        chance, "POST", f"{folder(chance, encoding, 2)}/save.{extension}", kind, fields.encode("ascii")
    )


def upload(chance: Random, encoding: str, extension: str = "asp") -> bytes:
    """A file from a form; its name comes as raw bytes of the page's encoding."""
    edge = "---------------------------7d1" + words.token(chance, 10, "0123456789abcdef")
    called = f"C:\\My Documents\\{words.plain_name(chance, encoding)}.xls".encode(encoding, "replace")
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="title"\r\n\r\n'.encode(),
        words.text(chance, encoding).encode(encoding, "replace"),
        f'\r\n--{edge}\r\nContent-Disposition: form-data; name="file"; filename="'.encode(),
        called,
        b'"\r\nContent-Type: application/vnd.ms-excel\r\n\r\n',
        chance.randbytes(chance.randint(0, 3000)),
        f"\r\n--{edge}--\r\n".encode(),
    ]
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    return request(chance, "POST", f"/upload/receive.{extension}", kind, b"".join(parts))


def aspx_page(chance: Random, encoding: str) -> bytes:
    random = words.token(
        chance, chance.randint(20, 60), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    )
    target = chance.choice(
        (
            f"/WebResource.axd?d={random}1&t=6339{chance.randint(10**13, 10**14)}",
            f"/ScriptResource.axd?d={random}&t=ffffffffb5c3e5b0",
            f"/(S({words.token(chance, 24, 'abcdefghijklmnopqrstuvwxyz012345')}))/Default.aspx",
            f"/Login.aspx?ReturnUrl=%2f{words.name(chance, 'utf-8')}%2fDefault.aspx%3fid%3d3",
            f"/bundles/jquery?v={random}",
            f"/Content/themes/site.min.css?v={chance.randint(1, 99)}",
            f"/Service.asmx/Lookup?{words.query(chance, ASP_NAMES, 'utf-8')}",
            f"/Data.svc/Orders({chance.randint(1, 99)})?$filter=Price%20gt%2010&$top=5&$orderby=Name",
            f"/handlers/Picture.ashx?{words.query(chance, ASP_NAMES, 'utf-8')}",
            f"{folder(chance, 'utf-8', 2)}/List.aspx?{words.query(chance, ASP_NAMES, 'utf-8')}",
        )
    )
    return request(chance, "GET", target)


def postback(chance: Random, encoding: str) -> bytes:
    """A page of ASP.NET sent back to itself."""
    fields = {
        "__EVENTTARGET": chance.choice(("", "ctl00$Main$Grid$ctl02$Edit", "Grid1")),
        "__EVENTARGUMENT": chance.choice(("", "Page$2", "Sort$Name")),
        "__VIEWSTATE": "/wEP" + words.binary(chance, chance.randint(60, 6000)),
        "__VIEWSTATEGENERATOR": words.token(chance, 8, "0123456789ABCDEF"),
        "__EVENTVALIDATION": "/wEW" + words.binary(chance, 60),
    }
    fields |= {
        f"ctl00$Main${one}": words.text(chance, "utf-8")
        for one in chance.sample(ASP_NAMES, chance.randint(0, 9))
    }
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return request(
        chance, "POST", f"{folder(chance, 'utf-8', 2)}/Edit.aspx", kind, urlencode(fields).encode()
    )


def soap(chance: Random, encoding: str) -> bytes:
    body = words.XML["soap"].replace("NAME", words.plain_name(chance, "utf-8"))
    kind = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"http://tempuri.org/Find"'}
    return request(chance, "POST", "/Service.asmx", kind, body.encode())


def json(chance: Random, encoding: str) -> bytes:
    body = f'{{"name":"{words.plain_name(chance, "utf-8")}","page":{chance.randint(1, 99)},"d":null}}'
    kind = {"Content-Type": "application/json; charset=utf-8", "X-Requested-With": "XMLHttpRequest"}
    return request(chance, "POST", f"/api/{chance.choice(words.ENGLISH)}/Find", kind, body.encode())


def subject(chance: Random) -> str:
    """How Exchange names a message: the subject, with what a URL cannot hold as `_xHHHH_`."""
    start = chance.choice(("", "RE_x003A_ ", "FW_x003A_ ", "転送_x003A_ "))
    end = chance.choice(("", " a+b", " 50_x0025_", "_x003F_", " R_x0026_D", "-2"))
    return quote(start + words.plain_name(chance, "utf-8") + end, safe="'()!,")


def owa(chance: Random, encoding: str) -> bytes:
    """Outlook Web Access 2000: pages, and the WebDAV that Internet Explorer 5 speaks from them."""
    box = f"/exchange/{chance.choice(('tanaka', 'y.suzuki', 'Administrator', 'sales-jp'))}"
    inbox = (
        box
        + "/"
        + quote(chance.choice(("Inbox", "受信トレイ", "Sent Items", "予定表", "Calendar", "Posteingang")))
    )
    message = f"{inbox}/{subject(chance)}.EML"
    xml = {"Content-Type": "text/xml", "Brief": "t", "Depth": chance.choice(("0", "1", "1,noroot"))}
    there = {"Destination": f"http://{HOST}{box}/Deleted%20Items/{subject(chance)}.EML", "Overwrite": "f"}
    cases: tuple[tuple[str, str, dict[str, str], str | None], ...] = (
        ("GET", "/exchange/", {}, None),
        ("GET", f"{inbox}/?Cmd=contents&Page={chance.randint(1, 30)}&View=Messages", {}, None),
        ("GET", f"{message}?Cmd=open", {}, None),
        ("GET", f"{message}/{words.name(chance, 'utf-8')}.doc?attach=1", {}, None),
        ("GET", f"{inbox}/?Cmd=new&type=IPM.Note", {}, None),
        ("GET", f"/exchweb/img/{chance.choice(words.ENGLISH)}.gif", {}, None),
        ("GET", "/exchweb/controls/ctrl_View20.htc", {}, None),
        ("GET", f"/public/{quote('全社掲示板')}/?Cmd=contents", {}, None),
        ("PROPFIND", f"{inbox}/", xml, words.XML["find"]),
        ("PROPFIND", message, xml, words.XML["find"]),
        (
            "SEARCH",
            f"{inbox}/",
            xml | {"Range": f"rows={chance.randint(0, 9) * 25}-{chance.randint(10, 20) * 25}"},
            words.XML["search"],
        ),
        ("SEARCH", f"{box}/", xml, words.XML["search"]),
        ("PROPPATCH", message, {"Content-Type": "text/xml"}, words.XML["update"]),
        (
            "BPROPPATCH",
            f"{inbox}/",
            {"Content-Type": "text/xml"},
            words.XML["update"],
        ),
        ("MOVE", message, there, ""),
        ("BMOVE", f"{inbox}/", there | {"Content-Type": "text/xml"}, words.XML["move"]),
        ("BDELETE", f"{inbox}/", {"Content-Type": "text/xml"}, words.XML["delete"]),
        ("DELETE", message, {"Destroy": "false"}, None),
        (
            "SUBSCRIBE",
            f"{inbox}/",
            {"Notification-type": "update", "Call-back": f"httpu://{HOST}:1234", "Depth": "1"},
            None,
        ),
        ("POLL", f"{inbox}/", {"Subscription-id": str(chance.randint(1, 999))}, None),
        (
            "POST",
            f"{inbox}/",
            {"Content-Type": "application/x-www-form-urlencoded"},
            "Cmd=send&urn:schemas:httpmail:subject=" + quote_plus(words.text(chance, "utf-8")),
        ),
        ("X-MS-ENUMATTS", message, {}, None),
        ("OPTIONS", "/exchange/", {"Translate": "f"}, None),
        ("GET", message, {"Translate": "f"}, None),
    )
    method, target, extra, body = chance.choice(cases)
    return request(chance, method, target, extra, None if body is None else body.encode())


def frontpage(chance: Random, encoding: str) -> bytes:
    """FrontPage opening and saving pages (its RPC over POST)."""
    target = chance.choice(
        (
            "/_vti_bin/shtml.exe/_vti_rpc",
            "/_vti_bin/_vti_aut/author.exe",
            "/_vti_bin/_vti_aut/author.dll",
            "/_vti_bin/shtml.dll/_vti_rpc",
        )
    )
    document = f"{chance.choice(words.ENGLISH)}/{words.plain_name(chance, 'utf-8')}.htm"
    method = chance.choice(
        (
            "server version",
            "open service",
            "list documents",
            "url to web url",
            "get document",
            "put document",
            "getDocsMetaInfo",
        )
    )
    fields = {
        "method": f"{method}:4.0.2.4715",
        "service_name": "/",
        "document_name": document,
        "old_theme_html": "false",
        "force": "true",
    }
    kind = {
        "MIME-Version": "1.0",
        "User-Agent": chance.choice(
            ("MSFrontPage/4.0", "MSFrontPage/5.0", "Mozilla/2.0 (compatible; MS FrontPage 4.0)")
        ),
        "Accept": "auth/sicily",
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Vermeer-Content-Type": "application/x-www-form-urlencoded",
    }
    body = urlencode(fields).encode() + (
        b"\n<html><body>" + words.text(chance, encoding).encode(encoding, "replace")
        if method == "put document"
        else b""
    )
    cases = (
        lambda: request(chance, "POST", target, kind, body),
        lambda: request(chance, "POST", target, kind, body),
        lambda: request(
            chance, "GET", "/_vti_inf.html", {"User-Agent": "Mozilla/2.0 (compatible; MS FrontPage 4.0)"}
        ),
        lambda: request(
            chance,
            "OPTIONS",
            folder(chance, encoding, 1) + "/",
            {"User-Agent": "Microsoft Data Access Internet Publishing Provider Protocol Discovery"},
        ),
        lambda: request(
            chance,
            "GET",
            f"/_vti_bin/owssvr.dll?UL=1&ACT=4&BUILD={chance.randint(2614, 6254)}&STRMVER=4&CAPREQ=0",
        ),
        lambda: request(
            chance,
            "GET",
            f"/MSOffice/cltreq.asp?UL=1&ACT=4&BUILD={chance.randint(2614, 6254)}&STRMVER=4&CAPREQ=0",
        ),
        lambda: request(
            chance,
            "POST",
            "/_vti_bin/shtml.dll/feedback/form.htm",
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode({"Comments": words.text(chance, "utf-8")}).encode(),
        ),
    )
    return chance.choice(cases)()


def dav(chance: Random, encoding: str, root: str = "") -> bytes:
    """Web Folders and the WebDAV redirector of Windows XP, with Word saving a document."""
    document = (
        f"{root}{folder(chance, encoding, 2)}/{words.name(chance, encoding)}.{chance.choice(DOCUMENTS)}"
    )
    temporary = f"{root}{folder(chance, encoding, 1)}/{chance.choice(TEMPORARY)}"
    lock = f"opaquelocktoken:{words.guid(chance)}:{chance.randint(1, 10**6)}"
    agent = {
        "User-Agent": chance.choice(
            (
                "Microsoft-WebDAV-MiniRedir/5.1.2600",
                "Microsoft Data Access Internet Publishing Provider DAV 1.1",
                "Microsoft Office/12.0 (Windows NT 5.1; Microsoft Office Word 12.0.4518; Pro)",
            )
        ),
        "Translate": "f",
    }
    there = f"http://{HOST}{document}".replace(".doc", "2.doc")
    cases: tuple[tuple[str, str, dict[str, str], bytes | None], ...] = (
        ("OPTIONS", f"{root}/", {}, None),
        ("PROPFIND", folder(chance, encoding) + "/" if not root else f"{root}/", {"Depth": "1"}, None),
        ("PROPFIND", document, {"Depth": "0", "Content-Type": "text/xml"}, words.XML["find"].encode()),
        ("PROPFIND", temporary, {"Depth": "0"}, b""),
        ("GET", document, {}, None),
        ("HEAD", document, {}, None),
        ("PUT", document, {}, chance.randbytes(chance.randint(0, 3000))),
        ("PUT", document, {"If": f"(<{lock}>)"}, chance.randbytes(chance.randint(0, 3000))),
        ("LOCK", document, {"Timeout": "Second-180", "Content-Type": "text/xml"}, words.XML["lock"].encode()),
        ("LOCK", document, {"If": f"(<{lock}>)", "Timeout": "Second-180"}, b""),
        ("UNLOCK", document, {"Lock-Token": f"<{lock}>"}, None),
        ("MKCOL", f"{root}/{words.name(chance, encoding)}", {}, b""),
        ("MOVE", document, {"Destination": there, "Overwrite": "T"}, b""),
        ("COPY", document, {"Destination": there, "Overwrite": "F"}, b""),
        ("DELETE", document, {}, None),
        (
            "PROPPATCH",
            document,
            {"Content-Type": "text/xml"},
            words.XML["update"].encode(),
        ),
    )
    method, target, extra, body = chance.choice(cases)
    return request(chance, method, target, agent | extra, body)


def portal(chance: Random, encoding: str) -> bytes:
    """SharePoint Portal Server 2001: its dashboard, its documents over WebDAV, its search."""
    cases: tuple[Callable[[], bytes], ...] = (
        lambda: request(
            chance, "GET", f"/portal/{chance.choice(('', 'Portal/', 'Portal/resources/style.css'))}"
        ),
        lambda: request(
            chance, "GET", "/portal/Portal/Search/?" + urlencode({"q": words.text(chance, "utf-8"), "p": 1})
        ),
        lambda: request(chance, "GET", f"/portal/Documents{folder(chance, 'utf-8', 2)}/?cmd=list"),
        lambda: request(
            chance,
            "SEARCH",
            "/portal/Documents/",
            {"Content-Type": "text/xml", "Range": "rows=0-49"},
            words.XML["search"].encode(),
        ),
        lambda: dav(chance, "utf-8", "/portal/Documents"),
        lambda: dav(chance, "utf-8", "/portal/Documents"),
    )
    return chance.choice(cases)()


@dataclass(frozen=True)
class Application:
    """Requests for one preset: how they are made, in which encodings, and what the site sets besides."""

    preset: str
    makers: tuple[Make, ...]
    encodings: tuple[str, ...] = ("utf-8", "cp932")
    site: Mapping[str, Any] = field(default_factory=lambda: {"codepage": 932})

    def requests(self, count: int, seed: int = 2001) -> Iterator[bytes]:
        chance = Random(f"{self.preset} {seed}")
        for _ in range(count):
            yield chance.choice(self.makers)(chance, chance.choice(self.encodings))


APPLICATIONS = {
    "static pages": Application("iis4-static", (static,)),
    "static pages, Western": Application("iis4-static", (static,), ("utf-8", "latin-1"), {"codepage": 1252}),
    "classic ASP": Application("iis5-asp", (static, asp_page, asp_page, form, upload)),
    "classic ASP, Western": Application(
        "iis5-asp", (static, asp_page, asp_page, form, upload), ("latin-1",), {"codepage": 1252}
    ),
    "Outlook Web Access 2000": Application("exchange2000-owa", (static, owa, owa, owa), ("utf-8",)),
    "SharePoint Portal Server 2001": Application("sharepoint2001", (static, portal, portal), ("utf-8",)),
    "FrontPage": Application("frontpage-authoring", (static, form, frontpage, frontpage)),
    "WebDAV on IIS 6": Application("iis6-webdav", (static, asp_page, dav, dav, dav)),
    "ASP.NET on IIS 7": Application(
        "iis7-aspnet",
        (static, aspx_page, aspx_page, postback, soap, json, lambda c, e: upload(c, e, "aspx")),
        ("utf-8",),
    ),
}
