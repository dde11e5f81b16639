"""What does one do when the origin answered what a rule had caught and the mode let pass?

The steps end what `stopgap explain --event ID` says of such an event. Those for a reference that a rule
names come before the last ones; for MS01-033 they are those of Microsoft's advisory of 8 August 2001 on Code
Red, for servers that take no service pack.
"""

from collections.abc import Iterator

from stopgap.ruleset.model import Rule

OPEN = "The origin answered {0}: whatever the rule guards is there, and may have done what it was asked to."
BROKEN = "The origin answered {0}: something broke on it. See its event log, and whether its services run."
CLOSE = (
    "Close the way to it now: {how}, then `stopgap reload`. "
    "If it was one of your users, `stopgap explain --event {event} --except` proposes what lets them pass."
)
FIX = "Close the hole itself where that can be done; look up {0}."
DOUBT = (
    "Until you know better, take the server for compromised: off the network, its disk and logs kept, new "
    "files and accounts looked for, passwords that it knows changed. One that was is set up anew."
)
BY_REFERENCE = {
    "MS01-033": (
        "Remove the mappings of .ida and .idq: Internet Services Manager, properties of the computer, WWW "
        "Service, Edit, Home Directory, Configuration, App Mappings; choose all nodes when it asks. Back up "
        "the configuration before. IIS installed anew has them again; OWA and SharePoint use .idq.",
        "Look for what the worm leaves: root.exe in \\inetpub\\scripts and in \\Program Files\\Common "
        "Files\\system\\MSADC, a hidden explorer.exe in the roots of C: and D:, virtual directories C and "
        "D, and SFCDisable = 0xffffff9d in HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon.",
    ),
}


def steps(event: str, site: str, status: int, rule_id: str, rule: Rule | None) -> Iterator[str]:
    """What to do about the answer `status`; `rule` is None when the configuration has it no more."""
    yield (BROKEN if status >= 500 else OPEN).format(status)
    yield CLOSE.format(how=_closing(site, rule_id, rule), event=event)
    references = rule.refs if rule else ()
    if references:
        yield FIX.format(", ".join(references))
    for reference in references:
        yield from BY_REFERENCE.get(reference, ())
    yield DOUBT


def _closing(site: str, rule_id: str, rule: Rule | None) -> str:
    if rule and rule.action == "detect":  # which no mode makes block
        return f'give rule {rule_id} in {rule.file} another action than "detect"'
    names = dict.fromkeys((rule.pack, rule_id) if rule else (rule_id,))
    lines = " or only ".join(f'{name} = "block"' for name in names)
    return f'in [site.modes] of site "{site}" put {lines}'
