//! Where a request's body ends, and what the head says of the connection: one answer or a refusal.
//!
//! Everything that two servers have ever disagreed about is refused (catalogue 1.6, RFC 9112 6.3):
//! both lengths, two lengths, a length that is no plain number, a transfer coding that is not exactly
//! `chunked`, any transfer coding on HTTP/1.0, either name with an underscore.

use memchr::memchr;

use super::head::{Fault, Head, Known};
use crate::verdict::Reason;

/// How long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    None,
    Exact(u64),
    Chunked,
}

/// What a head says beyond its target.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    pub length: Length,
    /// The client keeps the connection after the answer.
    pub keep_alive: bool,
    /// `Expect: 100-continue`, on HTTP/1.1 only.
    pub expect: bool,
    /// Index of the Upgrade field, when Connection names it.
    pub upgrade: Option<usize>,
    /// Connection names fields beyond the usual ones: they are dropped as well.
    pub nominates: bool,
    /// Authorization carries NTLM or Negotiate: the origin connection will be this client's.
    pub binds: bool,
    /// Where a Content-Encoding of the body stands, which IIS would not decode (catalogue B9).
    pub encoded: Option<usize>,
}

/// Read the framing of a complete head.
pub fn framing(buf: &[u8], head: &Head) -> Result<Framing, Fault> {
    let mut length: Option<u64> = None;
    let mut transfer = false;
    let mut upgrade = None;
    let mut wants_upgrade = false;
    let mut close = false;
    let mut keep = false;
    let mut plan = Framing {
        length: Length::None,
        keep_alive: false,
        expect: false,
        upgrade: None,
        nominates: false,
        binds: false,
        encoded: None,
    };
    for (index, (field, known)) in head.fields.iter().zip(&head.kinds).enumerate() {
        if *known == Known::Other {
            continue;
        }
        let value = field.value.of(buf);
        let at = field.value.start as usize;
        let wrong = |reason| Fault { reason, offset: at };
        match known {
            Known::ContentLength => {
                if length.is_some() {
                    return Err(wrong(Reason::DuplicateLength));
                }
                length = Some(decimal(value).ok_or(wrong(Reason::BadLength))?);
            }
            Known::TransferEncoding => {
                if head.minor == 0 {
                    return Err(wrong(Reason::TransferOnOld));
                }
                if transfer || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(wrong(Reason::UnknownTransfer));
                }
                transfer = true;
            }
            Known::Connection | Known::ProxyConnection => {
                for token in tokens(value) {
                    match token {
                        token if token.eq_ignore_ascii_case(b"close") => close = true,
                        token if token.eq_ignore_ascii_case(b"keep-alive") => keep = true,
                        token if token.eq_ignore_ascii_case(b"upgrade") => wants_upgrade = true,
                        _ => plan.nominates |= *known == Known::Connection,
                    }
                }
            }
            Known::Expect => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(wrong(Reason::BadExpectation));
                }
                plan.expect = head.minor == 1;
            }
            Known::Upgrade => upgrade = Some(index),
            Known::Disguised => {
                return Err(Fault { reason: Reason::BadHeaderName, offset: field.name.start as usize });
            }
            Known::ContentEncoding if !value.eq_ignore_ascii_case(b"identity") => plan.encoded = Some(at),
            Known::Authorization => plan.binds |= binds(value),
            _ => {}
        }
    }
    plan.length = match (length, transfer) {
        (Some(_), true) => return Err(Fault { reason: Reason::LengthAndTransfer, offset: 0 }),
        (None, true) => Length::Chunked,
        (None | Some(0), false) => Length::None,
        (Some(bytes), false) => Length::Exact(bytes),
    };
    if plan.length == Length::None {
        plan.encoded = None;
    }
    plan.expect &= plan.length != Length::None;
    plan.keep_alive = !close && (head.minor == 1 || keep);
    plan.upgrade = if wants_upgrade { upgrade } else { None };
    Ok(plan)
}

/// A plain decimal number: digits only, at most 18 of them.
pub fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// The members of a comma-separated list, without white space; empty ones left out.
pub fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

/// A scheme that authenticates the connection and not the request (MS-NTHT 3.1).
pub fn binds(value: &[u8]) -> bool {
    let scheme = &value[..memchr(b' ', value).unwrap_or(value.len())];
    scheme.eq_ignore_ascii_case(b"NTLM") || scheme.eq_ignore_ascii_case(b"Negotiate")
}
