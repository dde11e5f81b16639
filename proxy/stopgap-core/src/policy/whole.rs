//! Judging a request that is all there: vectors, `explain`, logs. The gate reads the same way, as the
//! bytes come.

use super::{Policy, Request, Work};
use crate::http1::chunked::{ChunkError, Decoder};
use crate::http1::framing::{Framing, Length, framing};
use crate::http1::head;
use crate::verdict::{Reason, Verdict};

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
    /// Judge `bytes`, head and body, for the site of its Host or for a given one, mode aside.
    pub fn judge_whole(&self, bytes: &[u8], site: Option<usize>, work: &mut Work) -> Outcome {
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
        let mut verdict = self.judge(index, &request, work);
        if verdict.is_none() && !matches!(plan.length, Length::None | Length::Exact(0)) {
            verdict = self.judge_rest(index, &request, work, &mut outcome.body);
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
    ) -> Option<Verdict> {
        let limit = self.site(index)?.limits.body;
        let rest = request.buf.get(work.head.length..).unwrap_or(&[]);
        let complete = match request.framing.length {
            Length::Exact(size) => {
                let end = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
                body.extend_from_slice(&rest[..end]);
                rest.len() as u64 >= size
            }
            _ => match Decoder::default().feed(rest, limit, |run| body.extend_from_slice(run)) {
                Ok(progress) => progress.done,
                Err(ChunkError::Grammar) => return Some(Verdict::new(Reason::BadChunk, work.head.length)),
                Err(ChunkError::TooLong) => return Some(Verdict::new(Reason::BodyTooLong, work.head.length)),
            },
        };
        if !complete {
            return Some(Verdict::new(Reason::BodyCut, request.buf.len()));
        }
        if !self.judges_body(index, request.framing.length) {
            return None;
        }
        self.judge_body(index, &request.with_body(body, body.len() as u64), work)
    }

    /// A structural reason gets the rule that tells its story.
    fn labelled(&self, index: usize, verdict: Verdict) -> Verdict {
        let label = self.site(index).and_then(|site| site.rules.label(verdict.reason));
        Verdict { rule: verdict.rule.or(label), ..verdict }
    }
}
