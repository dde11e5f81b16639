//! What does each rule cost? Requests are judged as the gate would, with a clock at every step.
//!
//! Only rules that a request wakes are evaluated. Judgement goes on behind a match, so that the order of
//! rules hides no cost. What looking at the clock takes is taken off.

use super::{Policy, Request, Work};
use crate::http1::framing::{Framing, Length, framing};
use crate::http1::head;

/// Time, and how often it was spent; for a rule also how often it matched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub nanoseconds: u64,
    pub woken: u64,
    pub matched: u64,
}

/// The steps before the rules, as rows of their own.
const STEPS: [&str; 3] = ["(head)", "(readings)", "(prefilter)"];
/// So often is the clock looked at to know what that takes.
const LOOKS: usize = 1000;

/// A clock in nanoseconds that takes itself into account.
pub struct Watch<'a> {
    clock: &'a dyn Fn() -> u64,
    look: u64,
}

impl<'a> Watch<'a> {
    fn new(clock: &'a dyn Fn() -> u64) -> Self {
        let look = (0..LOOKS).map(|_| clock().abs_diff(clock())).min().unwrap_or(0);
        Watch { clock, look }
    }

    /// Do something, and add what it took.
    pub fn time<T>(&self, cost: &mut Cost, work: impl FnOnce() -> T) -> T {
        let began = (self.clock)();
        let done = work();
        cost.nanoseconds += (self.clock)().saturating_sub(began).saturating_sub(self.look);
        cost.woken += 1;
        done
    }
}

impl Policy {
    /// (name, nanoseconds, times woken, times matched) of the steps and of every rule.
    pub fn timed(
        &self,
        requests: &[&[u8]],
        rounds: u32,
        clock: &dyn Fn() -> u64,
    ) -> Vec<(String, u64, u64, u64)> {
        let watch = Watch::new(clock);
        let mut steps = [Cost::default(); STEPS.len()];
        let mut rules = vec![Cost::default(); self.rules.len()];
        let mut work = Work::default();
        for _ in 0..rounds {
            for request in requests {
                self.time_request(request, &mut work, &watch, &mut steps, &mut rules);
            }
        }
        let names = STEPS.iter().copied().chain(self.rules.iter().map(|rule| rule.id.as_str()));
        let costs = steps.iter().chain(&rules);
        names
            .zip(costs)
            .map(|(name, cost)| (name.to_string(), cost.nanoseconds, cost.woken, cost.matched))
            .collect()
    }

    /// A request that cannot be read costs its head only.
    fn time_request(
        &self,
        bytes: &[u8],
        work: &mut Work,
        watch: &Watch<'_>,
        [head, readings, prefilter]: &mut [Cost; STEPS.len()],
        rules: &mut [Cost],
    ) {
        let plan = watch.time(head, || {
            let read = head::parse(bytes, &mut work.head, &self.bounds);
            if read == Ok(true) { framing(bytes, &work.head).ok() } else { None }
        });
        let Some(plan) = plan else { return };
        let index = self.site_of(work.head.host.of(bytes)).unwrap_or(usize::from(self.default_site()));
        let Some(site) = self.site(index) else { return };
        let path = work.head.path.of(bytes);
        watch.time(readings, || {
            work.readings.read(if path.is_empty() { b"/" } else { path }, site.table, &site.pages);
        });
        let request = Request::new(bytes, &plan, None);
        let subject = site.subject(&request, &work.head, &work.readings);
        site.rules.timed(&subject, &mut work.scratch, watch, prefilter, rules);
        let body = body(bytes, work.head.length, &plan);
        if request.body.is_none() && site.rules.awaits_body(&subject, &mut work.scratch) {
            let request = request.with_body(body, body.len() as u64);
            let subject = site.subject(&request, &work.head, &work.readings);
            site.rules.timed(&subject, &mut work.scratch, watch, prefilter, rules);
        }
    }
}

/// What stands behind the head; a chunked body is taken as it came.
fn body<'a>(bytes: &'a [u8], start: usize, plan: &Framing) -> &'a [u8] {
    let rest = bytes.get(start..).unwrap_or(&[]);
    match plan.length {
        Length::Exact(size) => rest.get(..usize::try_from(size).unwrap_or(usize::MAX)).unwrap_or(rest),
        _ => rest,
    }
}
