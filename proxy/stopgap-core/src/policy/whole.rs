//! Judging a request that is all there: vectors, `explain`, logs. The gate reads the same way, as the
//! bytes come.

use super::{Part, Policy, Request, Stops, Work};
use crate::http1::chunked::{ChunkError, Decoder};
use crate::http1::framing::{Framing, Length, framing};
use crate::http1::head;
use crate::verdict::{Mode, Reason, Verdict};

/// How far a whole request was read before its verdict was known.
pub struct Outcome {
    pub site: usize,
    pub verdict: Option<Verdict>,
    /// The head could be parsed and framed; `Work::head` is it.
    pub framing: Option<Framing>,
    /// The decoded body, when it was reached.
    pub body: Vec<u8>,
}

impl Policy {
    /// Judge `bytes`, head and body, for the site of its Host or for a given one. The verdict is the first
    /// that a client in the canary share would meet; with `all` the first of any action and mode.
    pub fn judge_whole(&self, bytes: &[u8], site: Option<usize>, all: bool, work: &mut Work) -> Outcome {
        let mut outcome = Outcome {
            site: site.unwrap_or(usize::from(self.default_site())),
            verdict: None,
            framing: None,
            body: Vec::new(),
        };
        let plan = match self.read_head(bytes, work) {
            Ok(plan) => plan,
            Err(verdict) => {
                outcome.verdict = Some(self.labelled(outcome.site, verdict));
                return outcome;
            }
        };
        outcome.framing = Some(plan);
        let Some(index) = site.or_else(|| self.site_of(work.head.host.of(bytes))) else {
            let at = work.head.host.start as usize;
            outcome.verdict = Some(Verdict::new(Reason::UnknownHost, at));
            return outcome;
        };
        outcome.site = index;
        let request = Request::new(bytes, &plan, None);
        let mut stops = |verdict: &Verdict, _: Option<u64>| {
            let ruling = self.intended(index, *verdict);
            // One request is over no rate.
            verdict.reason != Reason::RateExceeded
                && (all || (ruling.action.stops() && ruling.mode != Mode::Detect))
        };
        let mut verdict = self.judge(index, Part::Head, &request, work, &mut stops);
        if verdict.is_none() && !matches!(plan.length, Length::None | Length::Exact(0)) {
            verdict = self.judge_rest(index, &request, work, &mut outcome.body, &mut stops);
        }
        outcome.verdict = verdict.map(|verdict| self.labelled(index, verdict));
        outcome
    }

    fn read_head(&self, bytes: &[u8], work: &mut Work) -> Result<Framing, Verdict> {
        match head::parse(bytes, &mut work.head, &self.bounds) {
            Ok(true) => {}
            Ok(false) => return Err(Verdict::new(Reason::HeadTimeout, bytes.len())),
            Err(fault) => return Err(Verdict::new(fault.reason, fault.offset)),
        }
        framing(bytes, &work.head).map_err(|fault| Verdict::new(fault.reason, fault.offset))
    }

    fn judge_rest(
        &self,
        index: usize,
        request: &Request<'_>,
        work: &mut Work,
        body: &mut Vec<u8>,
        stops: &mut Stops<'_>,
    ) -> Option<Verdict> {
        if let Err(verdict) = self.read_body(index, request, work.head.length, body) {
            return Some(verdict);
        }
        if !self.judges_body(index, request, work) {
            return None;
        }
        self.judge(index, Part::Body, &request.with_body(body, body.len() as u64), work, stops)
    }

    /// What stands behind the head, decoded; as much of it as there is where it breaks off.
    pub fn read_body(
        &self,
        index: usize,
        request: &Request<'_>,
        head: usize,
        body: &mut Vec<u8>,
    ) -> Result<(), Verdict> {
        let limit = self.site(index).map_or(0, |site| site.limits.body);
        let rest = request.buf.get(head..).unwrap_or(&[]);
        let complete = match request.framing.length {
            Length::None => true,
            Length::Exact(size) => {
                let end = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
                body.extend_from_slice(&rest[..end]);
                rest.len() as u64 >= size
            }
            Length::Chunked => {
                match Decoder::default().feed(rest, limit, |run| body.extend_from_slice(run)) {
                    Ok(progress) => progress.done,
                    Err(ChunkError::Grammar) => return Err(Verdict::new(Reason::BadChunk, head)),
                    Err(ChunkError::TooLong) => return Err(Verdict::new(Reason::BodyTooLong, head)),
                }
            }
        };
        if complete { Ok(()) } else { Err(Verdict::new(Reason::BodyCut, request.buf.len())) }
    }
}
