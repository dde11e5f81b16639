//! Which origin does a client belong to? A cookie of the gate's own says so, for applications that keep their
//! sessions in one server's memory.
//!
//! The cookie names an origin by a value that does not say its address.
//! The origin never sees it, and one that names no origin of the site counts for nothing.

use serde::Deserialize;

use super::head::{Head, Known};

/// The cookie of a site, and the value that names each of its origins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sticky {
    pub cookie: String,
    pub values: Vec<String>,
}

impl Sticky {
    /// The origin that a request's cookie names; the first that is known counts.
    pub fn belongs(&self, buf: &[u8], head: &Head) -> Option<u16> {
        let cookies = head.fields.iter().zip(&head.kinds).filter(|(_, known)| **known == Known::Cookie);
        let mut pairs = cookies.flat_map(|(field, _)| pairs(field.value.of(buf)));
        let index = pairs.find_map(|pair| {
            let value = self.value(pair)?;
            self.values.iter().position(|known| known.as_bytes() == value)
        })?;
        u16::try_from(index).ok()
    }

    /// A Cookie field's value without ours; `None`: it has none of it. The others stay byte for byte.
    pub fn without(&self, value: &[u8]) -> Option<Vec<u8>> {
        pairs(value).find(|pair| self.value(pair).is_some())?;
        let kept: Vec<&[u8]> = pairs(value).filter(|pair| self.value(pair).is_none()).collect();
        Some(kept.join(&b';').trim_ascii().to_vec())
    }

    /// Put before the empty line of a head what brings a client its cookie; no shared cache may keep it for others.
    pub fn bring(&self, origin: u16, tls: bool, out: &mut Vec<u8>) {
        let Some(value) = self.values.get(usize::from(origin)) else { return };
        out.truncate(out.len().saturating_sub(2));
        let secure: &[u8] = if tls { b"; Secure" } else { b"" };
        for part in [
            b"Set-Cookie: ",
            self.cookie.as_bytes(),
            b"=",
            value.as_bytes(),
            b"; Path=/; HttpOnly",
            secure,
            b"\r\nCache-Control: private\r\n\r\n",
        ] {
            out.extend_from_slice(part);
        }
    }

    /// The value of a pair that is ours.
    fn value<'a>(&self, pair: &'a [u8]) -> Option<&'a [u8]> {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at(at);
        (name.trim_ascii() == self.cookie.as_bytes()).then(|| value.get(1..).unwrap_or(&[]).trim_ascii())
    }
}

fn pairs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b';')
}

#[cfg(test)]
mod tests {
    use super::Sticky;

    #[test]
    fn ours_is_taken_out_and_the_others_stay() {
        let sticky = Sticky { cookie: "GATE".to_string(), values: vec!["aa".to_string()] };
        for (value, left) in [
            ("GATE=aa", Some("")),
            ("GATE=forged", Some("")),
            ("GATE=aa; a=b", Some("a=b")),
            ("a=b; GATE=aa", Some("a=b")),
            ("a=b;  c = \"d\" ;GATE=aa; e", Some("a=b;  c = \"d\" ; e")),
            ("GATE=aa; GATE=bb", Some("")),
            ("GATEX=aa; gate=aa; XGATE=aa; GATE", None),
            ("a=GATE=aa", None),
            ("", None),
        ] {
            let without = sticky.without(value.as_bytes()).map(|rest| String::from_utf8(rest).unwrap());
            assert_eq!(without.as_deref(), left, "{value}");
        }
    }

    #[test]
    fn an_origin_that_is_not_there_has_no_cookie() {
        let sticky = Sticky { cookie: "GATE".to_string(), values: vec!["aa".to_string()] };
        let mut out = b"A: b\r\n\r\n".to_vec();
        sticky.bring(1, false, &mut out);
        assert_eq!(out, b"A: b\r\n\r\n");
        sticky.bring(0, true, &mut out);
        assert_eq!(
            out,
            b"A: b\r\nSet-Cookie: GATE=aa; Path=/; HttpOnly; Secure\r\nCache-Control: private\r\n\r\n"
        );
    }
}
