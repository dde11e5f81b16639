//! Who comes without TLS to an address that only leads there.

use super::{Command, Desk, Payload, Phase, Session, Step};
use crate::http1::framing::{Framing, Length};
use crate::http1::head::Span;
use crate::http1::pages;
use crate::http1::scrub::without_port;
use crate::verdict::{Reason, Verdict};

impl Session {
    /// The request may pass, but came without TLS: its client is told the same URL with it. A body is not
    /// read. Who names no host cannot be sent anywhere.
    pub(super) fn send_to_tls(&mut self, desk: &mut Desk<'_>, src: &[u8], plan: &Framing) -> Step {
        let head = &desk.work.head;
        if head.host.is_empty() {
            let site = usize::from(self.exchange.site);
            let ruling = self.policy.refusal(site, Verdict::new(Reason::MissingHost, 0));
            return self.refuse(desk, src, plan, ruling);
        }
        let bodiless = matches!(plan.length, Length::None | Length::Exact(0));
        let close = !(bodiless && plan.keep_alive);
        let redirect = pages::Redirect {
            host: without_port(head.host.of(src)),
            port: self.redirect,
            target: Span { start: head.path.start, end: head.target.end }.of(src),
            safe: matches!(head.method.of(src), b"GET" | b"HEAD"),
            minor: head.minor,
            close,
        };
        desk.out.clear();
        pages::redirect(&redirect, desk.out);
        self.let_go(desk);
        if close {
            self.input = Vec::new();
            self.go(Phase::Closed, desk.now);
            return Step::new(Command::Close, Payload::Written);
        }
        self.go(Phase::Idle, desk.now);
        Step::new(Command::Answer, Payload::Written)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Bench;
    use super::Command;

    #[test]
    fn who_came_without_tls_is_sent_there_and_an_attack_is_not() {
        let mut bench = Bench::new("stream");
        bench.session.redirect_to(443);
        for (asked, told) in [
            (
                &b"GET /a?b=%0d%0aX:1 HTTP/1.1\r\nHost: h.test:80\r\n\r\n"[..],
                "301 Moved Permanently\r\nLocation: https://h.test/a?b=%0d%0aX:1\r\nContent-Length: 0\r\n\r\n",
            ),
            (
                b"HEAD http://[::1]:8080/c HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
                "301 Moved Permanently\r\nLocation: https://[::1]/c\r\nContent-Length: 0\r\n\r\n",
            ),
            (
                b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
                "308 Permanent Redirect\r\nLocation: https://h/\r\nContent-Length: 0\r\n\r\n",
            ),
            (
                b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
                "301 Moved Permanently\r\nLocation: https://h/\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
            ),
        ] {
            let (command, bytes) = bench.receive(asked);
            assert_eq!(command, Command::Answer as u8);
            assert_eq!(String::from_utf8(bytes).unwrap(), format!("HTTP/1.1 {told}"));
        }
        let (command, bytes) = bench.receive(b"GET /x.ida HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(command, Command::Answer as u8);
        assert!(bytes.starts_with(b"HTTP/1.1 404 "));
        bench.session.redirect_to(8443);
        let (command, bytes) = bench.receive(b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
        assert_eq!(command, Command::Close as u8);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://h:8443/p\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(bench.receive(b"lo").0, Command::Wait as u8);
    }

    #[test]
    fn who_names_no_host_is_sent_nowhere() {
        let mut bench = Bench::new("stream");
        bench.session.redirect_to(443);
        let (command, bytes) = bench.receive(b"GET /a HTTP/1.0\r\n\r\n");
        assert_eq!(command, Command::Close as u8);
        assert!(bytes.starts_with(b"HTTP/1.1 400 "));
    }
}
