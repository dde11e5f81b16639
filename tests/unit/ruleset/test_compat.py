"""Do the compat modes of the packs let through what real applications ask for, and nothing of the hole?"""

from pathlib import Path

import pytest

from stopgap.ruleset import load, spec, vectors
from tests.unit.ruleset.builders import config_of

SITE = '[[site]]\nname = "a"\norigins = "http://h"\nserver = "iis5"\nraw_bytes = "query"\n'
CHUNKED = "HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n3\na=b\n0\n\n"
RDS = "/msadc/msadcs.dll"
PRINTER = "/printers/laser/.printer"
PASSWORD = "/iisadmpwd/aexp3.htr"


@pytest.mark.parametrize(
    ("rules", "passes", "refused"),
    [
        (
            ["printer"],
            [f"GET {PRINTER} HTTP/1.0", f"POST {PRINTER} HTTP/1.0\nContent-Length: 3000\n\n{{a*3000}}"],
            [
                f"GET {PRINTER} HTTP/1.1\nHost: {{a*150}}\n",
                f"GET {PRINTER}?{{a*300}} HTTP/1.0",
                f"POST {PRINTER} {CHUNKED}",
            ],
        ),
        (
            ["iisadmpwd", "ism-htr"],
            [f"GET {PASSWORD} HTTP/1.0", f"POST {PASSWORD} HTTP/1.0\nContent-Length: 11\n\na=b&c=d&e=f"],
            [
                "GET /iisadmpwd/aexp%33.htr HTTP/1.0",
                "GET /iisadmpwd/x.htr HTTP/1.0",
                "GET /global.asa+.htr HTTP/1.0",
                "GET /iisadmpwd/default.asp%3F+.htr HTTP/1.0",
                f"POST {PASSWORD} HTTP/1.0\nContent-Length: 3000\n\n{{a*3000}}",
                f"POST {PASSWORD} HTTP/1.0\nContent-Length: 20\n\n{{a*20}}",
                f"POST {PASSWORD} {CHUNKED}",
            ],
        ),
        (
            ["webhits"],
            ["GET /find/null.htw?CiWebHitsFile=/docs/a.htm&CiRestriction=nara HTTP/1.0"],
            [
                "GET /null.htw?CiWebHitsFile=/default.asp%20&CiHiliteType=full HTTP/1.0",
                "GET /null.htw?CiWebHitsFile=/docs/a.htm%20 HTTP/1.0",
                "GET /null.htw?CiWebHitsFile=/../../boot.ini HTTP/1.0",
                "GET /null.htw?CiRestriction=%3Cscript%3E HTTP/1.0",
            ],
        ),
        (
            ["rds"],
            [f"POST {RDS}/Shop.Orders.List HTTP/1.0\nContent-Length: 9\n\nADCClient"],
            [
                f"GET {RDS} HTTP/1.0",
                f"POST {RDS}/AdvancedDataFactory.Query HTTP/1.0\nContent-Length: 0\n",
                f"POST {RDS}/VbBusObj.VbBusObjCls.GetRecordset HTTP/1.0\nContent-Length: 0\n",
                f"POST {RDS}/Shop.Orders.List HTTP/1.0\nContent-Type: {{a*60}}\nContent-Length: 0\n",
                f'POST {RDS}/Shop.Orders.List HTTP/1.0\nContent-Length: 10\n\nx|shell("c',
                f"POST {RDS}/Shop.Orders.List {CHUNKED}",
            ],
        ),
        (
            ["nsiislog"],
            ["POST /scripts/nsiislog.dll HTTP/1.0\nContent-Length: 400\n\n{a*400}"],
            [
                "POST /scripts/nsiislog.dll HTTP/1.0\nContent-Length: 5000\n\n{a*5000}",
                f"POST /scripts/nsiislog.dll {CHUNKED}",
            ],
        ),
        (
            ["phone-book"],
            ["GET /pbserver/pbserver.dll?OSArch=0&OSType=2&LCID=1041&PBVer=0&PB=msn HTTP/1.0"],
            ["GET /pbserver/pbserver.dll?PB={a*200} HTTP/1.0", "POST /pbserver/pbserver.dll HTTP/1.0"],
        ),
        (
            ["image-map"],
            ["GET /cgi-bin/htimage.exe/maps/menu.map?15,240 HTTP/1.0"],
            ["GET /cgi-bin/htimage.exe/{a*200}?0,0 HTTP/1.0", "GET /cgi-bin/htimage.exe/x?<b> HTTP/1.0"],
        ),
        (
            ["hit-counter"],
            ["GET /_vti_bin/fpcount.exe/?Page=index.htm|Image=2 HTTP/1.0"],
            ["GET /_vti_bin/fpcount.exe/?Page={a*200}|Image=2 HTTP/1.0"],
        ),
        (
            ["batch-file"],
            ["GET /cgi-bin/run.bat HTTP/1.0"],
            ["GET /cgi-bin/run.bat?&dir HTTP/1.0", "GET /cgi-bin/run.bat%26dir HTTP/1.0"],
        ),
    ],
    ids=lambda value: value[0] if value[0].islower() else "",
)
def test_what_an_exception_lets_through(
    tmp_path: Path, rules: list[str], passes: list[str], refused: list[str]
) -> None:
    exceptions = [f'[[site.exception]]\nrule = "{rule}"\npath = "/**"\nreason = "x"\n' for rule in rules]
    read = config_of(tmp_path, SITE + "".join(exceptions))
    policy = spec.compiled(spec.build(read, load.load(read), spec.Registry()))
    assert [text for text in passes if policy.judge(vectors.request(text), 0)] == []
    assert [text for text in refused if not policy.judge(vectors.request(text), 0)] == []
