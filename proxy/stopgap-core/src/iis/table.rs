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
    /// Overlong and unchecked UTF-8 (U1).
    pub lax_utf8: bool,
    /// Unicode is squeezed into the code page by best fit (U5).
    pub best_fit: bool,
    /// Bodies are held whole before the origin sees a byte (design section 4).
    pub buffer_body: bool,
    /// A connection may be reused after a request with a body (B1).
    pub reuse_after_body: bool,
}
