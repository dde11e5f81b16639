//! Which bytes of a request are kept as evidence, where its site wants that?
//!
//! What the session holds at that moment: of a head with its body in one piece all of it, of a body that
//! comes later the window that rules look at, of a head that is wrong everything that came with it. A copy
//! is made for that of what makes an event, and of the head of a request whose body is still to come.

use super::{Desk, Incoming, Session};
use crate::evidence::{Capture, Form, HEAD, Keeping};
use crate::http1::framing::{Length, framing};
use crate::verdict::{Reason, Tier};

/// Bytes of one request: its head with what followed it, and the rest of the body.
#[derive(Clone, Copy)]
struct Held<'a> {
    bytes: &'a [u8],
    body: &'a [u8],
    /// Where the head ends; 0: that cannot be told.
    head: usize,
    form: Form,
    cut: bool,
}

impl Session {
    /// Keep the request of an event; `src` is what the session reads, or nothing where it waits for more.
    pub(super) fn keep_evidence(&self, desk: &mut Desk<'_>, src: Option<&[u8]>, event: u64, reason: Reason) {
        let Some(keeping) = self.keeping() else { return };
        if reason.tier() == Tier::Failed && reason != Reason::InternalError {
            return;
        }
        let held = match src {
            Some(src) => {
                let head = desk.work.head.length.min(src.len());
                let end = match framing(src, &desk.work.head) {
                    Ok(plan) if head > 0 => match plan.length {
                        Length::None => head,
                        Length::Exact(size) => {
                            head.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)).min(src.len())
                        }
                        Length::Chunked => src.len(),
                    },
                    _ => src.len(),
                };
                Held { bytes: &src[..end], body: &[], head, form: Form::Sent, cut: false }
            }
            None => match self.unread() {
                Some(held) => held,
                None => return,
            },
        };
        self.keep(desk, held, keeping.body, event, false);
    }

    /// What was kept from `before` on is of the request whose body has this window.
    pub(super) fn keep_window_of(&self, desk: &mut Desk<'_>, before: usize, window: &[u8]) {
        if let (Some(keeping), true) = (self.keeping(), desk.ledger.shelf.waiting.len() > before) {
            let more = self.exchange.received > window.len() as u64;
            desk.ledger.shelf.complete(before, window, more, keeping.body, self.form());
        }
    }

    /// The request goes to the origin: keep it if chance will have that. `sent` is all of it that is there, and
    /// `body` what of its body stands elsewhere.
    pub(super) fn let_pass(&mut self, desk: &mut Desk<'_>, sent: &[u8], head: usize, body: &[u8]) {
        if let Some(keeping) = self.keeping().filter(|keeping| keeping.passes > 0) {
            let asked = !self.exchange.detected && head > 0 && desk.ledger.shelf.draws(keeping.passes);
            if asked {
                let cut = self.exchange.received > (sent.len() - head + body.len()) as u64;
                let held = Held { bytes: sent, body, head, form: self.form(), cut };
                let event = desk.ledger.next_id();
                self.keep(desk, held, keeping.body, event, true);
            }
        }
        self.let_go(desk);
    }

    fn keeping(&self) -> Option<Keeping> {
        self.policy.site(usize::from(self.exchange.site)).and_then(|site| site.evidence)
    }

    /// How the body of the request in progress is held.
    fn form(&self) -> Form {
        if matches!(self.exchange.incoming, Incoming::Chunked(_)) { Form::Decoded } else { Form::Sent }
    }

    /// What there is of a request whose body has not come whole.
    fn unread(&self) -> Option<Held<'_>> {
        let pending = self.pending.as_ref()?;
        let (head, body) = (pending.sent(), &pending.window);
        let cut = self.exchange.received > body.len() as u64;
        Some(Held { bytes: head, body, head: head.len(), form: self.form(), cut })
    }

    fn keep(&self, desk: &mut Desk<'_>, held: Held<'_>, most: usize, event: u64, passed: bool) {
        let room = if held.head > 0 { held.head.saturating_add(most) } else { HEAD };
        let size = held.bytes.len().min(room);
        let more = held.body.len().min(room - size);
        let at = desk.now / 1_000_000;
        if size + more == 0 || !desk.ledger.shelf.admits(at, size + more, passed) {
            return;
        }
        let site = self.policy.site(usize::from(self.exchange.site));
        desk.ledger.shelf.waiting.push(Capture {
            event,
            at,
            passed,
            site: site.map_or_else(String::new, |site| site.name.clone()),
            client: self.exchange.client.map_or_else(|| self.peer.to_string(), |client| client.to_string()),
            tls: self.tls,
            raw: [&held.bytes[..size], &held.body[..more]].concat(),
            head: held.head,
            form: held.form,
            cut: held.cut || size + more < held.bytes.len() + held.body.len(),
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::evidence::{Capture, Form};
    use crate::session::Step;
    use crate::session::tests::Bench;

    const RULES: &str = r#"{"id": "ida", "counter": 0, "match": {"field": "extension", "test": "equals", "value": ["ida"]}},
        {"id": "evil", "counter": 1, "match": {"field": "body", "test": "contains", "value": ["evil"]}}"#;
    const WORM: &[u8] = b"GET /x.ida?nnnn HTTP/1.1\r\nHost: h\r\n\r\n";
    const PLAIN: &[u8] = b"GET /x.asp HTTP/1.1\r\nHost: h\r\n\r\n";
    const LONG: &[u8] = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n";
    const CHUNKED: &[u8] = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

    fn bench(mode: &str, evidence: &str) -> Bench {
        Bench::with(RULES, &format!(r#""mode": "{mode}", "evidence": {{"body": 64, {evidence}}}"#))
    }

    fn kept(pieces: &[&[u8]]) -> Vec<Capture> {
        let mut bench = bench("block", r#""passes": 0"#);
        pieces.iter().for_each(|piece| drop(bench.receive(piece)));
        bench.ledger.shelf.waiting
    }

    #[test]
    fn a_refused_request_is_kept_as_it_came_and_nothing_behind_it() {
        let all = [WORM, PLAIN].concat();
        for pieces in [vec![&all[..]], all.chunks(1).collect()] {
            let kept = kept(&pieces);
            assert_eq!(kept.len(), 1);
            assert_eq!((kept[0].raw.as_slice(), kept[0].head), (WORM, WORM.len()));
            assert_eq!((kept[0].client.as_str(), kept[0].site.as_str()), ("192.0.2.1", "s"));
            assert!(!kept[0].cut && !kept[0].passed);
        }
    }

    #[test]
    fn it_has_the_id_of_its_event_and_repeats_have_none() {
        let mut bench = bench("detect", r#""passes": 0"#);
        for _ in 0..3 {
            bench.receive(WORM);
            bench.respond(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n");
        }
        let (kept, missing) = bench.ledger.shelf.take(0);
        let events = bench.ledger.take(0);
        assert_eq!(kept.iter().map(|one| one.0).collect::<Vec<_>>(), [events[0].id]);
        assert_eq!(missing, 0);
    }

    #[test]
    fn a_body_is_kept_as_far_as_rules_have_it() {
        let (whole, chunks) = ([LONG, b"1evil678"].concat(), [CHUNKED, b"5\r\n1evil\r\n0\r\n\r\n"].concat());
        for cut in [3, 9999] {
            let sent = kept(&whole.chunks(cut).collect::<Vec<_>>());
            assert_eq!((sent[0].raw.as_slice(), sent[0].form), (&whole[..], Form::Sent), "pieces of {cut}");
            let decoded = kept(&chunks.chunks(cut).collect::<Vec<_>>());
            assert_eq!(decoded[0].raw, [CHUNKED, b"1evil"].concat(), "pieces of {cut}");
            assert_eq!(decoded[0].form, Form::Decoded);
        }
    }

    #[test]
    fn what_breaks_off_or_cannot_be_read_is_kept_too() {
        let bad = [CHUNKED, b"zz\r\n"].concat();
        assert_eq!(kept(&[&bad])[0].raw, CHUNKED);
        let none = b"GET /x.ida\r\nCookie : a\r\n\r\nmore";
        let after = &kept(&[WORM, none])[1];
        assert_eq!((after.raw.as_slice(), after.head), (&none[..], 0));
        let two = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(kept(&[two])[0].raw, two);
        let mut gone = bench("block", r#""passes": 0"#);
        gone.receive(&[LONG, b"123"].concat());
        gone.call(
            |session, desk| {
                session.end(desk);
                Step::WAIT
            },
            b"",
        );
        assert_eq!(gone.ledger.shelf.waiting[0].raw, [LONG, b"123"].concat());
    }

    #[test]
    fn no_more_of_a_body_is_kept_than_the_site_says() {
        let head = b"POST /x.ida HTTP/1.1\r\nHost: h\r\nContent-Length: 90\r\n\r\n";
        let kept = kept(&[&[&head[..], &[b'x'; 90]].concat()]);
        assert_eq!((kept[0].raw.len(), kept[0].cut), (head.len() + 64, true));
    }

    #[test]
    fn passes_are_kept_when_asked_and_once() {
        let answer = b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
        for (passes, count) in [("0", 0), ("1", 4)] {
            let mut bench = bench("detect", &format!(r#""passes": {passes}"#));
            let later = [CHUNKED, b"3\r\nabc\r\n", b"0\r\n\r\n"];
            for pieces in [vec![PLAIN], vec![LONG, b"12345", b"678"], later.to_vec(), vec![LONG, b"12345678"]]
            {
                pieces.iter().for_each(|piece| {
                    while bench.receive(piece).0 & 64 > 0 {
                        bench.receive(b"");
                    }
                });
                bench.respond(answer);
            }
            let kept = std::mem::take(&mut bench.ledger.shelf.waiting);
            assert_eq!(kept.len(), count, "{kept:?}");
            assert!(kept.iter().all(|one| one.passed));
            let ends: Vec<&[u8]> = kept.iter().map(|one| &one.raw[one.head..]).collect();
            assert!(
                ends.iter().zip([&b""[..], b"12345678", b"abc", b"12345678"]).all(|(a, b)| *a == b),
                "{ends:?}"
            );
        }
        let mut bench = bench("detect", r#""passes": 1"#);
        bench.receive(WORM);
        assert!(bench.ledger.shelf.waiting.iter().all(|one| !one.passed));
    }

    #[test]
    fn a_site_that_asks_for_none_keeps_none() {
        let mut bench = Bench::with(RULES, r#""mode": "block""#);
        bench.receive(WORM);
        assert_eq!((bench.ledger.shelf.waiting.len(), bench.ledger.take(0).len()), (0, 1));
    }
}
