//! The origin's side of an exchange: from its bytes to the client's answer.

use memchr::memchr;

use super::{Command, Desk, Outgoing, Payload, Phase, Session, Step};
use crate::http1::answer::{self, Asked, Ending, LAST_CHUNK};
use crate::http1::chunked::Decoder;
use crate::http1::scrub::Scrub;
use crate::verdict::Reason;

/// Interim answers (1xx) that are left out before the origin is taken for broken.
const INTERIM: u8 = 16;

impl Session {
    pub(super) fn read_answer(&mut self, desk: &mut Desk<'_>, data: &[u8]) -> Step {
        match self.exchange.outgoing {
            Outgoing::Head(skipped) if self.answer.is_empty() => {
                let step = self.read_answer_head(desk, data, skipped);
                self.keep_answer(data, step)
            }
            Outgoing::Head(skipped) => {
                let mut buf = std::mem::take(&mut self.answer);
                buf.extend_from_slice(data);
                // A head is only ever completed by the end of a line, or too long.
                if buf.len() <= answer::HEAD && memchr(b'\n', data).is_none() {
                    self.answer = buf;
                    return Step::WAIT;
                }
                let step = self.read_answer_head(desk, &buf, skipped);
                self.keep_answer(&buf, step)
            }
            _ => self.pass(desk, data, true),
        }
    }

    /// An incomplete head is kept, from the byte on where it begins.
    fn keep_answer(&mut self, buf: &[u8], step: Result<Step, usize>) -> Step {
        step.unwrap_or_else(|begin| {
            self.answer = buf.get(begin..).unwrap_or(&[]).to_vec();
            Step::WAIT
        })
    }

    /// `Err(begin)`: the head that begins there is not complete.
    fn read_answer_head(&mut self, desk: &mut Desk<'_>, buf: &[u8], mut skipped: u8) -> Result<Step, usize> {
        let asked = self.exchange.asked;
        let asked = Asked { keep_alive: asked.keep_alive && !desk.leaving, ..asked };
        let mut begin = 0;
        loop {
            let rest = buf.get(begin..).unwrap_or(&[]);
            let wanted =
                self.policy.site(usize::from(self.exchange.site)).and_then(|site| site.scrub.as_ref());
            let scrub = wanted.map(|wanted| Scrub { wanted, host: &self.host, tls: self.tls });
            let read = answer::read(rest, &asked, scrub.as_ref(), desk.out);
            let head = match read {
                Ok(Some(head)) => head,
                Ok(None) => {
                    self.exchange.outgoing = Outgoing::Head(skipped);
                    return Err(begin);
                }
                Err(_) => return Ok(self.fail(desk, Reason::OriginMalformed)),
            };
            begin += head.length;
            if head.status == 101 || head.status >= 200 {
                self.bring(desk);
            }
            if head.status == 101 {
                desk.out.extend_from_slice(buf.get(begin..).unwrap_or(&[]));
                self.go(Phase::Tunnel, desk.now);
                return Ok(Step::new(Command::Tunnel, Payload::Written));
            }
            if head.status < 200 {
                skipped += 1;
                if skipped > INTERIM {
                    return Ok(self.fail(desk, Reason::OriginMalformed));
                }
                continue;
            }
            self.watch(desk, head.status);
            let client = self.exchange.client;
            desk.rates.answered(&self.policy.rules, head.status, client, &self.tallies);
            let exchange = &mut self.exchange;
            exchange.rechunk = head.rechunk;
            exchange.origin_keeps = head.origin_keeps;
            exchange.client_keeps = head.client_keeps;
            exchange.outgoing = match head.ending {
                Ending::None => Outgoing::Exact(0),
                Ending::Exact(size) => Outgoing::Exact(size),
                Ending::Chunked => Outgoing::Chunked(Decoder::lenient()),
                Ending::Close => Outgoing::Close,
            };
            self.bound |= head.binds;
            return Ok(self.pass(desk, buf.get(begin..).unwrap_or(&[]), false));
        }
    }

    /// The client's head stands in `out`: add its cookie, if it is to go to another origin from now on.
    fn bring(&self, desk: &mut Desk<'_>) {
        let site = self.policy.site(usize::from(self.exchange.site));
        if let (Some(origin), Some(sticky)) =
            (self.exchange.moved, site.and_then(|site| site.sticky.as_ref()))
        {
            sticky.bring(origin, self.tls, desk.out);
        }
    }

    /// Body bytes of the answer. `given`: `data` is the caller's own chunk, so it can go as it is;
    /// otherwise the client's head stands in `out` and the body follows it there.
    fn pass(&mut self, desk: &mut Desk<'_>, data: &[u8], given: bool) -> Step {
        match self.exchange.outgoing {
            Outgoing::Exact(left) => {
                let size = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
                let left = left - size as u64;
                self.exchange.outgoing = Outgoing::Exact(left);
                // More than was declared: the connection's next answer could not be told from it.
                let surplus = data.len() > size;
                let payload = if given && !surplus {
                    Payload::Given
                } else {
                    desk.out.extend_from_slice(&data[..size]);
                    Payload::Written
                };
                if left > 0 {
                    return Step::new(
                        if payload == Payload::Given { Command::Relay } else { Command::Write },
                        payload,
                    );
                }
                self.finish(desk, payload, surplus)
            }
            Outgoing::Chunked(mut decoder) => {
                let (out, rechunk) = (&mut *desk.out, self.exchange.rechunk);
                let progress = decoder.feed(data, u64::MAX, |run| {
                    if rechunk { answer::chunk(run, out) } else { out.extend_from_slice(run) }
                });
                self.exchange.outgoing = Outgoing::Chunked(decoder);
                match progress {
                    Ok(progress) if progress.done => {
                        if rechunk {
                            desk.out.extend_from_slice(LAST_CHUNK);
                        }
                        self.finish(desk, Payload::Written, progress.consumed < data.len())
                    }
                    Ok(_) => Step::new(Command::Write, Payload::Written),
                    // What is good so far goes out; the cut then shows that there was more.
                    Err(_) => {
                        self.blame(desk, Reason::OriginMalformed);
                        self.go(Phase::Closed, desk.now);
                        Step::new(Command::Close, Payload::Written)
                    }
                }
            }
            Outgoing::Close if !self.exchange.rechunk && given => Step::new(Command::Relay, Payload::Given),
            Outgoing::Close => {
                if self.exchange.rechunk {
                    answer::chunk(data, desk.out);
                } else {
                    desk.out.extend_from_slice(data);
                }
                Step::new(Command::Write, Payload::Written)
            }
            Outgoing::Head(_) => Step::WAIT,
        }
    }

    /// The answer is complete: what becomes of both connections.
    fn finish(&mut self, desk: &mut Desk<'_>, payload: Payload, surplus: bool) -> Step {
        if surplus {
            self.note_surplus(desk);
        }
        let exchange = &self.exchange;
        let complete = self.phase == Phase::Answer;
        let reuse_after_body =
            self.policy.site(usize::from(exchange.site)).is_some_and(|site| site.table.reuse_after_body);
        let origin_keeps = complete && exchange.origin_keeps && !surplus;
        let command = if !origin_keeps {
            Command::Retire
        } else if self.bound {
            Command::Pin
        } else if exchange.bodied && !reuse_after_body {
            Command::Retire
        } else {
            Command::Finish
        };
        let keep = complete && exchange.client_keeps;
        self.settle(desk, command, payload, keep)
    }

    /// The origin closed its connection.
    pub fn lost(&mut self, desk: &mut Desk<'_>) -> Step {
        desk.out.clear();
        match self.phase {
            Phase::Answer | Phase::Body => {}
            Phase::Idle | Phase::Head => return Step::new(Command::Retire, Payload::Empty),
            Phase::Tunnel | Phase::Tarpit | Phase::Closed => {
                self.go(Phase::Closed, desk.now);
                return Step::new(Command::Close, Payload::Empty);
            }
        }
        match self.exchange.outgoing {
            Outgoing::Head(_) => self.fail(desk, Reason::OriginClosed),
            Outgoing::Close => {
                if self.exchange.rechunk {
                    desk.out.extend_from_slice(LAST_CHUNK);
                }
                let payload = if desk.out.is_empty() { Payload::Empty } else { Payload::Written };
                let keep = self.phase == Phase::Answer && self.exchange.client_keeps;
                self.settle(desk, Command::Retire, payload, keep)
            }
            // A declared end that never came: the client sees the cut.
            _ => {
                self.blame(desk, Reason::OriginClosed);
                self.go(Phase::Closed, desk.now);
                Step::new(Command::Close, Payload::Empty)
            }
        }
    }
}
