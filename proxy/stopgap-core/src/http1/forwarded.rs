//! For which client does a trusted peer speak?
//!
//! The right-most address of X-Forwarded-For is the one that the peer itself saw; what stands left of
//! it was handed to the peer and may be a lie. Proxies write an address, with or without a port.

use std::net::{IpAddr, SocketAddr};

use super::head::{Head, Known};

/// The address that the peer saw; `None` when it names none that can be read.
pub fn client(buf: &[u8], head: &Head) -> Option<IpAddr> {
    let index = head.kinds.iter().rposition(|kind| *kind == Known::ForwardedFor)?;
    let value = head.fields.get(index)?.value.of(buf);
    let last = value.rsplit(|byte| *byte == b',').next()?.trim_ascii();
    let text = std::str::from_utf8(last).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::client;
    use crate::http1::head::{Bounds, Head, parse};

    #[test]
    fn the_last_address_counts() {
        let cases = [
            ("X-Forwarded-For: 192.0.2.1, 198.51.100.2\r\n", Some("198.51.100.2")),
            ("X-Forwarded-For: 192.0.2.1\r\nA: b\r\nx-forwarded-for: 192.0.2.3:4711\r\n", Some("192.0.2.3")),
            ("X-Forwarded-For: [2001:db8::1]:80\r\n", Some("2001:db8::1")),
            ("X-Forwarded-For: [2001:db8::1]\r\n", Some("2001:db8::1")),
            ("X-Forwarded-For: 2001:db8::2\r\n", Some("2001:db8::2")),
            ("X-Forwarded-For: 192.0.2.1, unknown\r\n", None),
            ("X-Forwarded-For: 192.0.2.1,\r\n", None),
            ("A: b\r\n", None),
        ];
        for (lines, wanted) in cases {
            let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
            let mut head = Head::default();
            let bounds = Bounds { line: 1000, head: 1000, fields: 10 };
            assert_eq!(parse(text.as_bytes(), &mut head, &bounds), Ok(true));
            let found = client(text.as_bytes(), &head).map(|address| address.to_string());
            assert_eq!(found.as_deref(), wanted, "{lines}");
        }
    }
}
