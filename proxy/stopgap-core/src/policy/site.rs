//! One site: what it is configured to be, and what it says of a request, check by check.

use memchr::{memchr, memchr_iter};

use super::{Deadlines, Limits, Modes, Part, Request, Stops};
use crate::evidence::Keeping;
use crate::http1::framing::{Framing, Length, tokens};
use crate::http1::head::Head;
use crate::http1::scrub::Scrubbing;
use crate::http1::sticky::Sticky;
use crate::iis::codepage;
use crate::iis::readings::{Name, Readings};
use crate::iis::table::{CodePage, ServerTable};
use crate::rules::spec::{BodyMode, OnError, RawBytes, ScrubSpec, SiteSpec, Spec};
use crate::rules::{Match, Scratch, SiteRules, Subject};
use crate::verdict::{Reason, Tier, Verdict};

/// What a 405 names on a site that lists no methods: those that no rule forbids.
const ALLOW: &str = "GET, HEAD, POST";

pub struct Site {
    pub name: String,
    pub counter: usize,
    pub modes: Modes,
    pub table: &'static ServerTable,
    pub pages: Vec<CodePage>,
    pub limits: Limits,
    pub deadlines: Deadlines,
    pub buffer_body: bool,
    pub raw_bytes: RawBytes,
    pub on_error: OnError,
    /// What is changed in the answers; `None`: nothing.
    pub scrub: Option<Scrubbing>,
    /// The cookie that says which origin a client belongs to.
    pub sticky: Option<Sticky>,
    /// What is kept of requests; `None`: nothing.
    pub evidence: Option<Keeping>,
    /// Seconds of Strict-Transport-Security; 0: none.
    pub hsts: u32,
    pub default_host: String,
    pub rules: SiteRules,
    upgrades: Vec<String>,
    methods: Vec<String>,
    /// The methods for a 405.
    pub allow: String,
    has_exceptions: bool,
}

impl Site {
    pub(super) fn compile(spec: &Spec, site: &SiteSpec) -> Result<Site, String> {
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
            modes: Modes::compile(&spec.rules, site),
            table,
            limits: Limits::read(table, &site.limits)?,
            deadlines: Deadlines::read(&site.deadlines)?,
            buffer_body: site.body == BodyMode::Buffer,
            raw_bytes: site.raw_bytes,
            on_error: site.on_error,
            scrub: scrubbing(site),
            sticky: site.sticky.clone(),
            evidence: site.evidence.as_ref().map(|spec| spec.keeping()),
            hsts: site.hsts,
            default_host: default_host(site),
            rules: SiteRules::compile(&spec.rules, site, table, &pages)?,
            upgrades: site.upgrade.iter().map(|name| name.to_ascii_lowercase()).collect(),
            methods: site.methods.clone(),
            allow: if site.methods.is_empty() { ALLOW.to_string() } else { site.methods.join(", ") },
            has_exceptions: !site.exceptions.is_empty(),
            pages,
        })
    }

    pub(super) fn subject<'a>(
        &'a self,
        request: &Request<'a>,
        head: &'a Head,
        readings: &'a Readings,
    ) -> Subject<'a> {
        Subject {
            buf: request.buf,
            head,
            readings,
            table: self.table,
            pages: &self.pages,
            client: request.client,
            body: request.body.map(|body| &body[..body.len().min(self.limits.window)]),
            body_length: request.length,
        }
    }

    /// The first verdict that no exception covers and that `stops`.
    pub(super) fn judge(
        &self,
        part: Part,
        request: &Request<'_>,
        head: &Head,
        readings: &mut Readings,
        scratch: &mut Scratch,
        stops: &mut Stops<'_>,
    ) -> Option<Verdict> {
        #[cfg(test)]
        super::tests::stumble();
        scratch.used.clear();
        if part == Part::Head {
            if let Some(verdict) = self.oversized(request, head).find(|verdict| stops(verdict, None)) {
                return Some(verdict);
            }
        }
        let path = head.path.of(request.buf);
        readings.read(if path.is_empty() { b"/" } else { path }, self.table, &self.pages);
        let subject = self.subject(request, head, readings);
        let found = self.rules.first(&subject, scratch, |found| stops(&verdict_of(found), found.value));
        if found.is_some() {
            return found.as_ref().map(verdict_of);
        }
        let unread = Verdict::new(Reason::TooManyReadings, head.target.start as usize);
        if part == Part::Body {
            return (scratch.left_form_out() && stops(&unread, None)).then_some(unread);
        }
        if scratch.left_readings_out() && stops(&unread, None) {
            return Some(unread);
        }
        if let Some(verdict) = self.crowded(readings).find(|verdict| stops(verdict, None)) {
            return Some(verdict);
        }
        let ambiguous = readings.anomalies().iter().map(|anomaly| Verdict {
            reason: anomaly.reason,
            rule: None,
            reading: anomaly.reading,
            offset: anomaly.offset,
        });
        ambiguous
            .chain(self.raw(request, head))
            .chain(self.unwanted(request, head))
            .find(|verdict| !self.excepted(verdict, &subject, scratch) && stops(verdict, None))
    }

    /// Sizes beyond their limits that need no reading of the target (catalogue 1.7), the first to tell first.
    pub(super) fn oversized(&self, request: &Request<'_>, head: &Head) -> impl Iterator<Item = Verdict> {
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
    pub(super) fn crowded(&self, readings: &Readings) -> impl Iterator<Item = Verdict> {
        (0..readings.len()).flat_map(|index| {
            let view = readings.view(index);
            let deep = (usize::from(view.depth) > self.limits.segments).then_some(0);
            // Characters, as the file system counts: a reading is in UTF-8.
            let characters = |name: &&Name| {
                let name = view.path.get(name.start as usize..name.end as usize).unwrap_or(&[]);
                name.iter().filter(|byte| **byte & 0xc0 != 0x80).count() > self.limits.segment
            };
            let long = (view.path.len() > self.limits.segment)
                .then(|| view.names.iter().find(characters).map(|name| name.start));
            let found = [(Reason::TooManySegments, deep), (Reason::SegmentTooLong, long.flatten())];
            found.into_iter().filter_map(move |(reason, offset)| {
                Some(Verdict { reason, rule: None, reading: index as u16, offset: offset? })
            })
        })
    }

    /// Raw bytes that are no part of a URL: above 0x7F (catalogue U3) and `#` (X19).
    pub(super) fn raw(&self, request: &Request<'_>, head: &Head) -> impl Iterator<Item = Verdict> {
        let target = head.target.of(request.buf);
        let base = head.target.start as usize;
        let inspected = match self.raw_bytes {
            RawBytes::Refuse => target,
            RawBytes::Query => &target[..target.len() - head.query.map_or(0, |query| query.len())],
            RawBytes::Allow => b"",
        };
        let high =
            if inspected.is_ascii() { None } else { inspected.iter().position(|byte| !byte.is_ascii()) };
        let found = [(Reason::HighBit, high), (Reason::Fragment, memchr(b'#', target))];
        found.into_iter().filter_map(move |(reason, at)| Some(Verdict::new(reason, base + at?)))
    }

    /// Bodies and upgrades that the site does not take.
    pub(super) fn unwanted(&self, request: &Request<'_>, head: &Head) -> impl Iterator<Item = Verdict> {
        let plan = request.framing;
        let bodied = matches!(plan.length, Length::Exact(1..) | Length::Chunked);
        let fetches = matches!(head.method.of(request.buf), b"GET" | b"HEAD");
        let upgrade = plan.upgrade.and_then(|index| head.fields.get(index)).map(|field| field.value);
        let refused = upgrade.filter(|value| {
            // A client that merely offers HTTP/2 is answered in HTTP/1 (RFC 9110 7.8).
            let offers_h2 = tokens(value.of(request.buf)).all(|token| token.eq_ignore_ascii_case(b"h2c"));
            !offers_h2 && !self.permits_upgrade(request.buf, head, plan)
        });
        let found = [
            (Reason::GetWithBody, (bodied && fetches).then_some(0)),
            (Reason::EncodedBody, plan.encoded),
            (Reason::UpgradeDenied, refused.map(|value| value.start as usize)),
            (Reason::MethodDenied, (!self.takes(head.method.of(request.buf))).then_some(0)),
        ];
        found.into_iter().filter_map(|(reason, at)| Some(Verdict::new(reason, at?)))
    }

    /// Methods are compared with regard to case (RFC 9110 9.1).
    fn takes(&self, method: &[u8]) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|taken| taken.as_bytes() == method)
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
        self.has_exceptions && verdict.reason.tier() < Tier::Malformed && {
            let reading = usize::from(verdict.reading);
            let exception = self.rules.excepted(verdict.reason, reading, subject, scratch);
            scratch.used.extend(exception);
            exception.is_some()
        }
    }
}

pub(super) fn verdict_of(found: &Match) -> Verdict {
    Verdict { reason: found.reason, rule: Some(found.rule), reading: found.reading, offset: found.offset }
}

fn scrubbing(site: &SiteSpec) -> Option<Scrubbing> {
    let ScrubSpec { server, addresses, origins } = site.scrub.clone();
    let hsts = site.hsts;
    (server || addresses || hsts > 0).then_some(Scrubbing { server, addresses, origins, hsts })
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
