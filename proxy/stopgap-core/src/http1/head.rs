//! The grammar of a request head: which bytes are a head, and nothing else is.

/// A span of bytes in the buffer that was parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        Span { start: start as u32, end: end as u32 }
    }
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start as usize..self.end as usize).unwrap_or(&[])
    }
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// One header field: name without the colon, value without surrounding white space.
#[derive(Clone, Copy, Debug, Default)]
pub struct Field {
    pub name: Span,
    pub value: Span,
}

/// A parsed head. Spans refer to the buffer it was parsed from; reused from request to request.
#[derive(Debug, Default)]
pub struct Head {
    pub method: Span,
    /// The whole request target as it came.
    pub target: Span,
    /// The path: up to the first raw `?` (catalogue X18), after the authority of an absolute target.
    pub path: Span,
    /// The query without its `?`; `None` when there is no `?`.
    pub query: Option<Span>,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor: u8,
    /// Host header, or the authority of an absolute target; empty when a 1.0 request has none.
    pub host: Span,
    pub fields: Vec<Field>,
    /// Length of the head with its empty line, in bytes.
    pub length: usize,
}
