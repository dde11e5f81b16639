//! The policy: sites and rules, compiled once, and the one judge that everything asks.
//!
//! Order of judgement: sizes first, because an oversized target is not worth reading; then rules on
//! every reading, because a rule's name tells more than "ambiguous"; then what makes the target
//! ambiguous. The first that holds, and that no exception covers, is the verdict.

mod defaults;
mod explain;
mod whole;

use std::net::IpAddr;

use memchr::{memchr, memchr_iter};
use rustc_hash::FxHashMap;

use crate::http1::framing::{Framing, Length, tokens};
use crate::http1::head::{Bounds, Head};
use crate::iis::codepage;
use crate::iis::readings::{Name, Readings};
use crate::iis::table::{CodePage, ServerTable};
use crate::rules::spec::{BodyMode, Mode, RawBytes, SiteSpec, Spec};
use crate::rules::{Scratch, SiteRules, Subject};
use crate::verdict::{Reason, Tier, Verdict};

pub use defaults::{Deadlines, Limits, deadlines, limits};

/// Reused from request to request: one for each worker, one for each policy that is asked directly.
#[derive(Default)]
pub struct Work {
    pub head: Head,
    pub readings: Readings,
    pub scratch: Scratch,
}

/// What the gate must know of a rule.
pub struct RuleFacts {
    pub id: String,
    pub counter: usize,
    pub status: Option<u16>,
}

pub struct Site {
    pub name: String,
    pub counter: usize,
    /// Judge, count and log, and forward all the same.
    pub detect: bool,
    pub table: &'static ServerTable,
    pub pages: Vec<CodePage>,
    pub limits: Limits,
    pub deadlines: Deadlines,
    pub buffer_body: bool,
    pub raw_bytes: RawBytes,
    pub default_host: String,
    pub rules: SiteRules,
    upgrades: Vec<String>,
    has_exceptions: bool,
}

/// A request with a complete head, as it is judged. `Work::head` is its head.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub buf: &'a [u8],
    pub framing: &'a Framing,
    pub client: Option<IpAddr>,
    /// The window of the body, once it has come.
    pub body: Option<&'a [u8]>,
}

pub struct Policy {
    pub sites: Vec<Site>,
    pub rules: Vec<RuleFacts>,
    /// The widest head of all sites: a head is read before its site is known.
    pub bounds: Bounds,
    hosts: FxHashMap<Box<[u8]>, usize>,
    /// `.suffix`, longest first.
    suffixes: Vec<(Box<[u8]>, usize)>,
    fallback: Option<usize>,
}

impl Policy {
    /// Compile a specification (JSON). The error is one line that names rule or site and key.
    pub fn compile(json: &[u8]) -> Result<Policy, String> {
        let spec = Spec::parse(json)?;
        let rules = spec.rules.iter().map(|rule| RuleFacts {
            id: rule.id.clone(),
            counter: rule.counter as usize,
            status: rule.status,
        });
        let mut policy = Policy {
            sites: Vec::new(),
            rules: rules.collect(),
            bounds: Bounds { line: 0, head: 0, fields: 0 },
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

    pub fn reads_body(&self, index: usize) -> bool {
        self.site(index).is_some_and(|site| site.rules.reads_body())
    }

    /// The status of a refusal: the rule's own, or the reason's.
    pub fn status(&self, verdict: &Verdict) -> u16 {
        let rule = verdict.rule.and_then(|rule| self.rules.get(rule as usize));
        rule.and_then(|rule| rule.status).unwrap_or_else(|| verdict.reason.status())
    }

    /// Judge a request for a site, mode aside. `None`: it passes.
    pub fn judge(&self, index: usize, request: &Request<'_>, work: &mut Work) -> Option<Verdict> {
        let site = self.site(index)?;
        let Work { head, readings, scratch } = work;
        if let Some(verdict) = site.oversized(request, head).next() {
            return Some(verdict);
        }
        let path = head.path.of(request.buf);
        readings.read(if path.is_empty() { b"/" } else { path }, site.table, &site.pages);
        let subject = site.subject(request, head, readings);
        if let Some(found) = site.rules.first(&subject, scratch) {
            let rule = Some(found.rule);
            return Some(Verdict {
                reason: found.reason,
                rule,
                reading: found.reading,
                offset: found.offset,
            });
        }
        if scratch.left_readings_out() {
            return Some(Verdict::new(Reason::TooManyReadings, head.target.start as usize));
        }
        if let Some(verdict) = site.crowded(readings) {
            return Some(verdict);
        }
        let ambiguous = readings.anomalies().iter().map(|anomaly| Verdict {
            reason: anomaly.reason,
            rule: None,
            reading: anomaly.reading,
            offset: anomaly.offset,
        });
        ambiguous
            .chain(site.raw(request, head))
            .chain(site.unwanted(request, head))
            .find(|verdict| !site.excepted(verdict, &subject, scratch))
    }

    /// Judge again, with the window of the body. The head must be in `work`.
    pub fn judge_body(&self, index: usize, request: &Request<'_>, work: &mut Work) -> Option<Verdict> {
        let site = self.site(index)?;
        let Work { head, readings, scratch } = work;
        let path = head.path.of(request.buf);
        readings.read(if path.is_empty() { b"/" } else { path }, site.table, &site.pages);
        let subject = site.subject(request, head, readings);
        let found = site.rules.first(&subject, scratch)?;
        Some(Verdict {
            reason: found.reason,
            rule: Some(found.rule),
            reading: found.reading,
            offset: found.offset,
        })
    }
}

impl Site {
    fn compile(spec: &Spec, site: &SiteSpec) -> Result<Site, String> {
        let table =
            ServerTable::named(&site.server).ok_or(format!("server: {:?} is unknown", site.server))?;
        let pages = site.codepages.iter().map(|page| {
            codepage::page(CodePage(*page))
                .map(|_| CodePage(*page))
                .ok_or(format!("codepages: {page} is unknown"))
        });
        let pages = pages.collect::<Result<Vec<CodePage>, String>>()?;
        Ok(Site {
            name: site.name.clone(),
            counter: site.counter as usize,
            detect: site.mode == Mode::Detect,
            table,
            limits: Limits::read(table, &site.limits)?,
            deadlines: Deadlines::read(&site.deadlines)?,
            buffer_body: site.body == BodyMode::Buffer,
            raw_bytes: site.raw_bytes,
            default_host: default_host(site),
            rules: SiteRules::compile(&spec.rules, site, table, &pages)?,
            upgrades: site.upgrade.iter().map(|name| name.to_ascii_lowercase()).collect(),
            has_exceptions: !site.exceptions.is_empty(),
            pages,
        })
    }

    fn subject<'a>(&'a self, request: &Request<'a>, head: &'a Head, readings: &'a Readings) -> Subject<'a> {
        let declared = match request.framing.length {
            Length::Exact(size) => size,
            _ => 0,
        };
        Subject {
            buf: request.buf,
            head,
            readings,
            table: self.table,
            pages: &self.pages,
            client: request.client,
            // No body at all is an empty one; a body that has not come is not known yet.
            body: request
                .body
                .or(matches!(request.framing.length, Length::None | Length::Exact(0)).then_some(b"")),
            body_length: request.body.map_or(declared, |body| declared.max(body.len() as u64)),
        }
    }

    /// Sizes beyond their limits that need no reading of the target (catalogue 1.7), the first to tell first.
    fn oversized(&self, request: &Request<'_>, head: &Head) -> impl Iterator<Item = Verdict> {
        let limits = &self.limits;
        let target = head.target.of(request.buf);
        let query = head.query.map_or(0, |query| query.len());
        let body = match request.framing.length {
            Length::Exact(size) => size,
            _ => 0,
        };
        let long = target.len() > limits.escapes;
        let escapes = if long { memchr_iter(b'%', target).count() } else { 0 };
        let sizes = [
            (target.len(), limits.target, Reason::TargetTooLong, head.target.start),
            (head.path.len(), limits.path, Reason::PathTooLong, head.path.start),
            (query, limits.query, Reason::QueryTooLong, head.target.start),
            (head.longest_value as usize, limits.header, Reason::HeaderTooLong, 0),
            (head.longest_credentials as usize, limits.credentials, Reason::HeaderTooLong, 0),
            (head.length, limits.head, Reason::HeadTooLong, 0),
            (head.fields.len(), limits.headers, Reason::TooManyHeaders, 0),
            (usize::from(body > limits.body), 0, Reason::BodyTooLong, 0),
            (escapes, limits.escapes, Reason::TooManyEscapes, head.target.start),
        ];
        let beyond = sizes.into_iter().filter(|(size, limit, _, _)| size > limit);
        beyond.map(|(_, _, reason, offset)| Verdict::new(reason, offset as usize))
    }

    /// Segments: how many, and the longest, in any reading.
    fn crowded(&self, readings: &Readings) -> Option<Verdict> {
        for index in 0..readings.len() {
            let view = readings.view(index);
            let at = |reason, offset| Some(Verdict { reason, rule: None, reading: index as u16, offset });
            if usize::from(view.depth) > self.limits.segments {
                return at(Reason::TooManySegments, 0);
            }
            if view.path.len() > self.limits.segment {
                // Characters, as the file system counts: a reading is in UTF-8.
                let characters = |name: &Name| {
                    let name = view.path.get(name.start as usize..name.end as usize).unwrap_or(&[]);
                    name.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
                };
                if let Some(name) = view.names.iter().find(|name| characters(name) > self.limits.segment) {
                    return at(Reason::SegmentTooLong, name.start);
                }
            }
        }
        None
    }

    /// Raw bytes that are no part of a URL: above 0x7F (catalogue U3) and `#` (X19).
    fn raw(&self, request: &Request<'_>, head: &Head) -> Option<Verdict> {
        let target = head.target.of(request.buf);
        let base = head.target.start as usize;
        let inspected = match self.raw_bytes {
            RawBytes::Refuse => target,
            RawBytes::Query => &target[..target.len() - head.query.map_or(0, |query| query.len())],
            RawBytes::Allow => b"",
        };
        if !inspected.is_ascii() {
            let offset = inspected.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
            return Some(Verdict::new(Reason::HighBit, base + offset));
        }
        memchr(b'#', target).map(|offset| Verdict::new(Reason::Fragment, base + offset))
    }

    /// Bodies and upgrades that the site does not take.
    fn unwanted(&self, request: &Request<'_>, head: &Head) -> Option<Verdict> {
        let plan = request.framing;
        if matches!(plan.length, Length::Exact(1..) | Length::Chunked)
            && matches!(head.method.of(request.buf), b"GET" | b"HEAD")
        {
            return Some(Verdict::new(Reason::GetWithBody, 0));
        }
        if let Some(offset) = plan.encoded {
            return Some(Verdict::new(Reason::EncodedBody, offset));
        }
        let index = plan.upgrade?;
        let value = head.fields.get(index)?.value;
        // A client that merely offers HTTP/2 is answered in HTTP/1 (RFC 9110 7.8).
        let offers_h2 = tokens(value.of(request.buf)).all(|token| token.eq_ignore_ascii_case(b"h2c"));
        let allowed = offers_h2 || self.permits_upgrade(request.buf, head, plan);
        (!allowed).then(|| Verdict::new(Reason::UpgradeDenied, value.start as usize))
    }

    /// Every protocol that the Upgrade field names is one that the site allows.
    pub fn permits_upgrade(&self, buf: &[u8], head: &Head, plan: &Framing) -> bool {
        let field = plan.upgrade.and_then(|index| head.fields.get(index));
        field.is_some_and(|field| {
            let mut names = tokens(field.value.of(buf)).peekable();
            names.peek().is_some()
                && names
                    .all(|token| self.upgrades.iter().any(|name| token.eq_ignore_ascii_case(name.as_bytes())))
        })
    }

    fn excepted(&self, verdict: &Verdict, subject: &Subject<'_>, scratch: &mut Scratch) -> bool {
        self.has_exceptions
            && verdict.reason.tier() < Tier::Malformed
            && self.rules.excepted(verdict.reason, usize::from(verdict.reading), subject, scratch).is_some()
    }
}

/// The site's own default host, else its first plain name, else its name.
fn default_host(site: &SiteSpec) -> String {
    let plain = || site.hosts.iter().find(|host| !host.starts_with('*')).cloned();
    if site.default_host.is_empty() {
        plain().unwrap_or_else(|| site.name.clone())
    } else {
        site.default_host.clone()
    }
}
