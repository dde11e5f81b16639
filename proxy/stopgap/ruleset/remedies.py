"""What does one do about a refusal that should not have been?

By reason where there is something special to say, else by tier; `FOR_LIMITS` is for all reasons that a limit
makes. The texts stand in the generated pages and end what `stopgap explain --event ID --except` says.
"""

FOR_LIMITS = "limit"

REMEDIES: dict[str, str] = {
    "denied": (
        "`stopgap explain --event ID` shows which rule matched and where. If a user of yours needs "
        "the request, make an [exception](../configuration.md#exceptions) to the rule; `stopgap "
        "explain --event ID --except` proposes the narrowest."
    ),
    "ambiguous": (
        "Servers read such a target in different ways, and that is how filters were passed. If your "
        "application really sends it, make an [exception](../configuration.md#exceptions) with `rule "
        '= "{0}"` and its path; `stopgap explain --event ID --except` proposes it. The rules go on '
        "judging every reading."
    ),
    "malformed": (
        "No exception can help: where such a request begins or ends is read in different ways, so "
        "that what follows it could be smuggled. The client, or whatever stands before Stopgap, has "
        "to send it as RFC 9112 says; `stopgap explain -` shows the byte."
    ),
    "failed": (
        "It says nothing about the request. `stopgap status` shows the origins, "
        "[operating](../operating.md#when-an-origin-fails) what is done when one fails; the times are"
        " in `[site.deadlines]`."
    ),
    FOR_LIMITS: (
        "If the request is as long as your application needs, raise `{0}` in "
        "[`[site.limits]`](../configuration.md#sitelimits); `stopgap explain --event ID --except` says to"
        " which number."
    ),
    "unknown-host": (
        "Add the host to `hosts` of the site that shall serve it, or `*` to one site for all others."
    ),
    "upgrade-denied": ("Name the protocol in the site's `upgrade`."),
    "internal-error": (
        "Please report it, with what `stopgap explain` says of the request and what stands on standard error."
    ),
    "head-timeout": (
        "The client was slower than `head` in `[site.deadlines]` allows; a slow attack looks the same."
    ),
    "body-timeout": (
        "The client was slower than `body_rate` in `[site.deadlines]` allows; a slow attack looks the same."
    ),
    "rate-exceeded": (
        "One client has matched the rule more often than its `rate` allows; it is let in again when "
        "the time is over. If many users share the address, make an "
        "[exception](../configuration.md#exceptions) with `clients`."
    ),
    "too-many-connections": (
        "One client opens more connections a minute than `new_connections` allows, or has more open than "
        "`client_connections`. They are closed unread, and it is let in again when the minute is over, or "
        "when it has closed some. Name a proxy that many users come by in `trusted`."
    ),
    "gate-full": (
        "All clients together have as many connections open as `max_connections` says, or a worker as many "
        "as its limit of open files allows (LimitNOFILE; standard error says so). New ones are closed "
        "unread. If few clients have most of them, limit those with `client_connections`."
    ),
    "no-room": (
        "The folder for large bodies (`TMPDIR`, or `/tmp`) is full, as standard error says: make room, or "
        "let the site stream its bodies (`body`). Or a worker may open no further file, as `stopgap status` "
        "says beside the origin: raise LimitNOFILE."
    ),
    "client-tls": (
        "Standard error says what OpenSSL found. `UNSUPPORTED_PROTOCOL` or `NO_SHARED_CIPHER`: a client "
        "older than TLS 1.2, which `[tls] minimum` lets in. `HTTP_REQUEST`: it speaks HTTP without TLS; give "
        "it an address of its own with `redirect`. `PEER_DID_NOT_RETURN_A_CERTIFICATE` or "
        "`CERTIFICATE_VERIFY_FAILED`: it has no certificate of `client_ca`. `..._ALERT_UNKNOWN_CA`: it does "
        "not know who issued ours."
    ),
    "proxy-header": (
        "A peer that `proxy_protocol` names sent something else than a PROXY header, or none in 10 seconds, "
        "and was closed. Let it send one (HAProxy: `send-proxy-v2` at `server`), or take it out of the list."
    ),
    "encoded-body": (
        "IIS does not decode request bodies, so that nobody would look into it. The client has to "
        "send it plain."
    ),
}
