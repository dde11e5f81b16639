//! The policy: sites and rules, compiled once, and the one judge that everything asks.
//!
//! Order of judgement: sizes first, because an oversized target is not worth reading; then rules on
//! every reading, because a rule's name tells more than "ambiguous"; then what makes the target
//! ambiguous. The first that holds, that no exception covers, and that is carried out in the mode in
//! force is the verdict; what is only detected is noted, and judgement goes on behind it, so that it
//! shields nothing.

mod defaults;
mod explain;
mod meter;
mod ruling;
mod site;
mod timed;
mod whole;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use memchr::memchr;
use rustc_hash::FxHashMap;

use crate::http1::framing::{Framing, Length};
use crate::http1::head::{Bounds, Head};
use crate::iis::readings::Readings;
use crate::rate::Limit;
use crate::rules::Scratch;
use crate::rules::spec::{RuleSpec, Spec};
use crate::verdict::{Action, Reason, Ruling, Verdict};

pub use defaults::{Deadlines, Limits, deadlines, limits};
pub use meter::{Rate, Rates, Room, Tally};
pub use ruling::{Modes, Noted};
pub use site::Site;
pub use timed::{Cost, Watch};

/// Reused from request to request: one for each worker, one for each policy that is asked directly.
#[derive(Default)]
pub struct Work {
    pub head: Head,
    pub readings: Readings,
    pub scratch: Scratch,
    /// What the last decision noted: detected, or stripped.
    pub notes: Vec<Ruling>,
    /// Rules whose headers are left out of what is forwarded.
    pub stripping: Vec<u32>,
}

impl Work {
    /// Throw away what a judgement left unfinished; the head is not the judge's to change.
    fn renew(&mut self) {
        *self = Work { head: std::mem::take(&mut self.head), ..Work::default() };
    }
}

/// What the gate must know of a rule.
pub struct RuleFacts {
    pub id: String,
    pub counter: usize,
    pub status: Option<u16>,
    pub action: Action,
    pub strip: Vec<String>,
    pub rate: Option<Rate>,
    pub policy: bool,
}

impl RuleFacts {
    fn new(spec: &RuleSpec) -> Self {
        RuleFacts {
            id: spec.id.clone(),
            counter: spec.counter as usize,
            status: spec.status,
            action: spec.action,
            strip: spec.strip.clone(),
            rate: spec.rate.as_ref().map(Rate::new),
            policy: spec.policy,
        }
    }
}

/// What of a request is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The head, and all that is known of the body.
    Head,
    /// The head again, with the window of the body.
    Body,
}

/// A request with a complete head, as it is judged. `Work::head` is its head.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub buf: &'a [u8],
    pub framing: &'a Framing,
    pub client: Option<IpAddr>,
    /// The window of the body, once it has come.
    pub body: Option<&'a [u8]>,
    /// Its whole length, once it is known.
    pub length: Option<u64>,
}

impl<'a> Request<'a> {
    /// A request of which the head is there. No body at all is an empty one; a body that has not come
    /// is not known yet.
    pub fn new(buf: &'a [u8], framing: &'a Framing, client: Option<IpAddr>) -> Self {
        let (body, length) = match framing.length {
            Length::None | Length::Exact(0) => (Some(&b""[..]), Some(0)),
            Length::Exact(size) => (None, Some(size)),
            Length::Chunked => (None, None),
        };
        Request { buf, framing, client, body, length }
    }

    /// The same request with the first bytes of its body, which is `length` bytes long.
    pub fn with_body(self, body: &'a [u8], length: u64) -> Self {
        Request { body: Some(body), length: Some(length), ..self }
    }
}

/// What one exchange remembers from the judgement of its head to that of its body.
pub struct Memory<'a> {
    pub noted: &'a mut Noted,
    pub tallies: &'a mut Vec<Tally>,
}

/// Whether a verdict stops the judgement. With a rule that has a rate (reason "rate-exceeded") goes the value
/// that it counts, as a hash; the request is over the rate only if whoever is asked has counted enough.
pub type Stops<'a> = dyn FnMut(&Verdict, Option<u64>) -> bool + 'a;

pub struct Policy {
    pub sites: Vec<Site>,
    pub rules: Vec<RuleFacts>,
    /// The widest head of all sites: a head is read before its site is known.
    pub bounds: Bounds,
    /// New connections of one client a minute.
    pub connections: Option<Limit>,
    pub room: Room,
    hosts: FxHashMap<Box<[u8]>, usize>,
    /// `.suffix`, longest first.
    suffixes: Vec<(Box<[u8]>, usize)>,
    fallback: Option<usize>,
}

impl Policy {
    /// Compile a specification (JSON). The error is one line that names rule or site and key.
    pub fn compile(json: &[u8]) -> Result<Policy, String> {
        let spec = Spec::parse(json)?;
        let mut policy = Policy {
            sites: Vec::new(),
            rules: spec.rules.iter().map(RuleFacts::new).collect(),
            bounds: Bounds { line: 0, head: 0, fields: 0 },
            connections: (spec.new_connections > 0).then_some(Limit { over: spec.new_connections, per: 60 }),
            room: Room { of_client: spec.client_connections, of_all: spec.max_connections },
            hosts: FxHashMap::default(),
            suffixes: Vec::new(),
            fallback: None,
        };
        for (index, site) in spec.sites.iter().enumerate() {
            for host in &site.hosts {
                policy
                    .add_host(host, index)
                    .map_err(|error| format!("site {:?}: hosts: {error}", site.name))?;
            }
            let site =
                Site::compile(&spec, site).map_err(|error| format!("site {:?}: {error}", site.name))?;
            let bounds = &mut policy.bounds;
            bounds.line = bounds.line.max(site.limits.target + 64);
            bounds.head = bounds.head.max(site.limits.head);
            bounds.fields = bounds.fields.max(site.limits.headers);
            policy.sites.push(site);
        }
        policy.suffixes.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        if policy.sites.is_empty() {
            return Err("sites: at least one is needed".to_string());
        }
        Ok(policy)
    }

    fn add_host(&mut self, host: &str, index: usize) -> Result<(), String> {
        let taken = match host.strip_prefix('*') {
            Some("") => self.fallback.replace(index).is_some(),
            Some(suffix) if suffix.starts_with('.') => {
                let taken = self.suffixes.iter().any(|(known, _)| &**known == suffix.as_bytes());
                self.suffixes.push((suffix.as_bytes().into(), index));
                taken
            }
            Some(_) => return Err(format!("{host:?}: a star stands alone or before a dot")),
            None => self.hosts.insert(host.as_bytes().into(), index).is_some(),
        };
        if taken { Err(format!("{host:?} is named twice")) } else { Ok(()) }
    }

    /// The site that serves a Host (with or without port). No Host: the site for all, or the first.
    pub fn site_of(&self, host: &[u8]) -> Option<usize> {
        if self.hosts.is_empty() && self.suffixes.is_empty() {
            return self.fallback;
        }
        if host.is_empty() {
            return self.fallback.or(Some(0));
        }
        let end = match host {
            [b'[', ..] => memchr(b']', host).map_or(host.len(), |at| at + 1),
            _ => memchr(b':', host).unwrap_or(host.len()),
        };
        let name = host[..end].to_ascii_lowercase();
        let name = name.strip_suffix(b".").unwrap_or(&name);
        self.hosts
            .get(name)
            .copied()
            .or_else(|| {
                self.suffixes.iter().find(|(suffix, _)| name.ends_with(suffix)).map(|(_, index)| *index)
            })
            .or(self.fallback)
    }

    /// The site that requests without a readable Host are counted under.
    pub fn default_site(&self) -> u16 {
        self.fallback.unwrap_or(0) as u16
    }

    pub fn site(&self, index: usize) -> Option<&Site> {
        self.sites.get(index)
    }

    /// Whether a request must be judged again when its body has come. The head must be in `work`.
    pub fn judges_body(&self, index: usize, request: &Request<'_>, work: &mut Work) -> bool {
        let Some(site) = self.site(index) else { return false };
        let Work { head, readings, scratch, .. } = work;
        let path = head.path.of(request.buf);
        let awaits = catch_unwind(AssertUnwindSafe(|| {
            readings.read(if path.is_empty() { b"/" } else { path }, site.table, &site.pages);
            site.rules.awaits_body(&site.subject(request, head, readings), scratch)
        }));
        awaits.unwrap_or_else(|_| {
            work.renew();
            true
        })
    }

    /// The status of a refusal: the rule's own, or the reason's.
    pub fn status(&self, verdict: &Verdict) -> u16 {
        let rule = verdict.rule.and_then(|rule| self.rules.get(rule as usize));
        rule.and_then(|rule| rule.status).unwrap_or_else(|| verdict.reason.status())
    }

    /// Judge a request for a site: the first verdict that `stops`. `None`: it passes. See `Stops`.
    pub fn judge(
        &self,
        index: usize,
        part: Part,
        request: &Request<'_>,
        work: &mut Work,
        stops: &mut Stops<'_>,
    ) -> Option<Verdict> {
        let Work { head, readings, scratch, .. } = work;
        self.site(index)?.judge(part, request, head, readings, scratch, stops)
    }

    /// Judge a request as the site's modes and the rules' actions want it. `Work::notes` gets what did
    /// not stop it; `memory` is what was noted and counted of this request before. When the judge itself
    /// fails, the site's `on_error` decides.
    pub fn decide(
        &self,
        index: usize,
        part: Part,
        request: &Request<'_>,
        work: &mut Work,
        rates: Rates<'_>,
        memory: &mut Memory<'_>,
    ) -> Option<Ruling> {
        let judged = catch_unwind(AssertUnwindSafe(|| self.weigh(index, part, request, work, rates, memory)));
        judged.unwrap_or_else(|_| {
            work.renew();
            let ruling = self.unjudged(index);
            if ruling.action.stops() {
                return Some(ruling);
            }
            if memory.noted.add(ruling.verdict) {
                work.notes.push(ruling);
            }
            None
        })
    }

    fn weigh(
        &self,
        index: usize,
        part: Part,
        request: &Request<'_>,
        work: &mut Work,
        rates: Rates<'_>,
        memory: &mut Memory<'_>,
    ) -> Option<Ruling> {
        let Work { head, readings, scratch, notes, stripping } = work;
        notes.clear();
        stripping.clear();
        let mut last = None;
        let mut stops = |verdict: &Verdict, value: Option<u64>| {
            if verdict.reason == Reason::RateExceeded {
                let facts = verdict.rule.and_then(|rule| Some((rule, self.rules.get(rule as usize)?)));
                let over = |(rule, facts)| rates.count(facts, rule, value, request.client, memory.tallies);
                if !facts.is_some_and(over) {
                    return false;
                }
            }
            let ruling = self.ruling(index, *verdict, request.client);
            if ruling.action.stops() {
                last = Some(ruling);
                return true;
            }
            if ruling.action == Action::Strip {
                stripping.extend(ruling.verdict.rule);
            }
            if memory.noted.add(ruling.verdict) {
                notes.push(ruling);
            }
            false
        };
        self.site(index)?.judge(part, request, head, readings, scratch, &mut stops)?;
        last
    }
}

#[cfg(test)]
pub mod tests {
    use std::cell::Cell;

    thread_local! {
        static STUMBLES: Cell<bool> = const { Cell::new(false) };
    }

    /// From now on the judge of this thread fails, or does not.
    pub fn let_stumble(stumbles: bool) {
        STUMBLES.set(stumbles);
    }

    pub fn stumble() {
        assert!(!STUMBLES.get(), "the judge fails, as a test wants it");
    }
}
