//! What each server does with a target: one row a server (catalogue 1.2 to 1.4).

/// A code page of Windows that a site's server may use, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodePage(pub u16);

/// One server's decodings. A `true` makes a further reading possible; it never removes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTable {
    pub name: &'static str,
    /// Passes of decoding beyond the first (P3): 0 or up to 3.
    pub more_passes: u8,
    /// `%uHHHH` is decoded (P2).
    pub percent_u: bool,
    /// Letters after `%` that are no hexadecimal digits are computed with (P5).
    pub arithmetic_escape: bool,
    /// UTF-8 is decoded sequence by sequence, what is none by the page (U1, U2).
    pub utf8_each: bool,
    /// Overlong and unchecked UTF-8 (U1), both as a decoder of three bytes (U2) and as one of four has it.
    pub lax_utf8: bool,
    /// Unicode is squeezed into the code page by best fit (U5).
    pub best_fit: bool,
    /// Bodies are held whole before the origin sees a byte (design section 4).
    pub buffer_body: bool,
    /// A connection may be reused after a request with a body (B1).
    pub reuse_after_body: bool,
}

/// Every server, oldest first; `any` is the union of all rows and the default.
///
/// * more_passes: P3, unpatched 5.0 and before (MS01-026); "cap 3-4 rounds" is ours.
/// * percent_u: P2 and P2b: on everywhere, whatever libhtp's personality of 5.1 says.
/// * arithmetic_escape: P5, MS99-061, IIS 4 and before.
/// * utf8_each: Snort's model of 4.0 and 5.0; their decoder takes one, two and three bytes (U2).
/// * lax_utf8: U1: MS00-078 in 4.0 and 5.0, CVE-2009-1535 in the WebDAV of 5.1 and 6.0.
/// * best_fit: U5, certain for 4.0 to 5.1, possible for ISAPI on 6.0 and later.
/// * buffer_body and reuse_after_body: B1 and B6, holes of 4.0 to 5.1.
pub const SERVERS: &[ServerTable] = &[
    ServerTable {
        name: "iis4",
        more_passes: 3,
        percent_u: true,
        arithmetic_escape: true,
        utf8_each: true,
        lax_utf8: true,
        best_fit: true,
        buffer_body: true,
        reuse_after_body: false,
    },
    ServerTable {
        name: "iis5",
        more_passes: 3,
        percent_u: true,
        arithmetic_escape: false,
        utf8_each: true,
        lax_utf8: true,
        best_fit: true,
        buffer_body: true,
        reuse_after_body: false,
    },
    ServerTable {
        name: "iis5.1",
        more_passes: 0,
        percent_u: true,
        arithmetic_escape: false,
        utf8_each: true,
        lax_utf8: true,
        best_fit: true,
        buffer_body: true,
        reuse_after_body: false,
    },
    ServerTable {
        name: "iis6",
        more_passes: 0,
        percent_u: true,
        arithmetic_escape: false,
        utf8_each: false,
        lax_utf8: true,
        best_fit: true,
        buffer_body: false,
        reuse_after_body: true,
    },
    ServerTable { name: "iis7", ..STRICT },
    ServerTable { name: "iis8", ..STRICT },
    ServerTable { name: "iis10", ..STRICT },
    ServerTable {
        name: "any",
        more_passes: 3,
        percent_u: true,
        arithmetic_escape: true,
        utf8_each: true,
        lax_utf8: true,
        best_fit: true,
        buffer_body: true,
        reuse_after_body: false,
    },
];

/// http.sys of Windows Vista and later: one pass, strict UTF-8, `PercentUAllowed` (P2) on by default.
const STRICT: ServerTable = ServerTable {
    name: "",
    more_passes: 0,
    percent_u: true,
    arithmetic_escape: false,
    utf8_each: false,
    lax_utf8: false,
    best_fit: true,
    buffer_body: false,
    reuse_after_body: true,
};

impl ServerTable {
    /// The row of a server, by the name that `site.server` gives.
    pub fn named(name: &str) -> Option<&'static ServerTable> {
        SERVERS.iter().find(|row| row.name == name)
    }
}
