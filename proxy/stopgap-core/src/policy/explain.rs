//! Everything about one request, for people: each reading, each finding, what would be sent.

use serde_json::{Value, json};

use super::site::verdict_of;
use super::{Memory, Noted, Part, Policy, Rates, Request, Site, Work};
use crate::http1::framing::{Framing, Length};
use crate::http1::rewrite;
use crate::iis::readings::QueryReadings;
use crate::iis::room::Room;
use crate::verdict::{Reason, Tier, Verdict};

impl Policy {
    /// See `_core.pyi` for the shape.
    pub fn explain(&self, bytes: &[u8], site: Option<usize>, work: &mut Work) -> Value {
        let mut outcome = self.judge_whole(bytes, site, false, work);
        if outcome.verdict.is_none() {
            outcome = self.judge_whole(bytes, site, true, work);
        }
        let index = outcome.site;
        let Some(site) = self.site(index) else { return Value::Null };
        let mut value = json!({
            "site": site.name,
            "server": site.table.name,
            "mode": site.modes.site().name(),
            "method": text(work.head.method.of(bytes)),
            "target": text(work.head.target.of(bytes)),
            "host": text(work.head.host.of(bytes)),
            "verdict": outcome.verdict.map(|verdict| self.verdict(index, &verdict)),
            "readings": [],
            "queries": [],
            "findings": [],
            "forwarded": null,
        });
        let Some(plan) = outcome.framing else {
            value["findings"] =
                outcome.verdict.iter().map(|verdict| self.finding(index, verdict, None)).collect();
            return value;
        };
        let path = work.head.path.of(bytes);
        work.readings.read(if path.is_empty() { b"/" } else { path }, site.table, &site.pages);
        value["readings"] = (0..work.readings.len()).map(|index| reading(work, index)).collect();
        value["queries"] = queries(site, bytes, work);
        let request = Request::new(bytes, &plan, None);
        if outcome.body.is_empty() {
            // A refused head leaves the body unread; what is wrong with the body is told all the same.
            let _ = self.read_body(index, &request, work.head.length, &mut outcome.body);
        }
        let body = (!outcome.body.is_empty()).then_some(outcome.body.as_slice());
        let request = body.map_or(request, |body| request.with_body(body, body.len() as u64));
        value["findings"] = self.findings(index, site, &request, outcome.verdict, work);
        let malformed = outcome.verdict.is_some_and(|verdict| verdict.reason.tier() >= Tier::Malformed);
        if !malformed {
            let memory = &mut Memory { noted: &mut Noted::default(), tallies: &mut Vec::new() };
            self.decide(index, Part::Head, &request, work, Rates::NONE, memory);
            value["forwarded"] = text(&self.forwarded(site, bytes, &plan, work)).into();
        }
        value
    }

    fn verdict(&self, site: usize, verdict: &Verdict) -> Value {
        let intended = self.intended(site, *verdict);
        json!({
            "action": intended.action.name(),
            "mode": intended.mode.name(),
            "tier": verdict.reason.tier().name(),
            "reason": verdict.reason.name(),
            "status": self.status(verdict),
            "rule": self.rule_id(verdict.rule),
            "reading": verdict.reading,
            "offset": verdict.offset,
        })
    }

    fn rule_id(&self, rule: Option<u32>) -> Option<&str> {
        rule.and_then(|rule| self.rules.get(rule as usize)).map(|rule| rule.id.as_str())
    }

    /// Every rule that matches, then every structural reason, each with the exception that covers it.
    fn findings(
        &self,
        index: usize,
        site: &Site,
        request: &Request<'_>,
        verdict: Option<Verdict>,
        work: &mut Work,
    ) -> Value {
        let Work { head, readings, scratch, .. } = work;
        let subject = site.subject(request, head, readings);
        let mut rows: Vec<Value> = Vec::new();
        for found in site.rules.all(&subject, scratch) {
            let mut row = self.finding(index, &verdict_of(&found.matched), found.excepted);
            row["field"] = found.matched.field.into();
            row["found"] = text(&found.text).into();
            row["counted"] = (found.matched.reason == Reason::RateExceeded).into();
            rows.push(row);
        }
        let mut structural: Vec<Verdict> = Vec::new();
        structural.extend(site.oversized(request, subject.head));
        structural.extend(site.crowded(subject.readings));
        structural.extend(subject.readings.anomalies().iter().map(|anomaly| Verdict {
            reason: anomaly.reason,
            rule: None,
            reading: anomaly.reading,
            offset: anomaly.offset,
        }));
        structural.extend(site.raw(request, subject.head));
        structural.extend(site.unwanted(request, subject.head));
        let listed =
            |structural: &[Verdict], reason: Reason| structural.iter().any(|other| other.reason == reason);
        if let Some(verdict) = verdict.filter(|verdict| !listed(&structural, verdict.reason)) {
            let by_rule = rows.iter().any(|row| row["reason"] == verdict.reason.name());
            if !by_rule {
                structural.push(verdict);
            }
        }
        for mut found in structural {
            found.rule = found.rule.or(site.rules.label(found.reason));
            let exception = site.rules.excepted(found.reason, usize::from(found.reading), &subject, scratch);
            rows.push(self.finding(index, &found, exception));
        }
        Value::Array(rows)
    }

    /// One thing that speaks against the request; a rule that matched has more to tell.
    fn finding(&self, site: usize, verdict: &Verdict, exception: Option<usize>) -> Value {
        let intended = self.intended(site, *verdict);
        json!({
            "action": intended.action.name(),
            "mode": intended.mode.name(),
            "tier": verdict.reason.tier().name(),
            "reason": verdict.reason.name(),
            "rule": self.rule_id(verdict.rule),
            "field": null,
            "reading": verdict.reading,
            "offset": verdict.offset,
            "text": verdict.reason.text(),
            "excepted": exception,
        })
    }

    /// The head as the origin would get it.
    fn forwarded(&self, site: &Site, bytes: &[u8], plan: &Framing, work: &Work) -> Vec<u8> {
        let mut out = Vec::new();
        let bodied = matches!(plan.length, Length::Exact(1..) | Length::Chunked);
        let strip = self.stripped(&work.stripping);
        let hop = rewrite::Hop {
            client: "client",
            tls: false,
            trusted: false,
            default_host: &site.default_host,
            strip: &strip,
            close: bodied && !site.table.reuse_after_body && !plan.binds,
            upgrade: plan.upgrade.is_some() && site.permits_upgrade(bytes, &work.head, plan),
            sticky: site.sticky.as_ref(),
        };
        rewrite::head(bytes, &work.head, plan, &hop, &mut out);
        let length = match plan.length {
            Length::Exact(size) => Some(size),
            _ => None,
        };
        rewrite::finish(&mut out, length);
        out
    }
}

fn reading(work: &Work, index: usize) -> Value {
    let view = work.readings.view(index);
    let names = view
        .names
        .iter()
        .map(|name| text(view.path.get(name.start as usize..name.end as usize).unwrap_or(&[])));
    let anomalies = work.readings.anomalies().iter().filter(|anomaly| usize::from(anomaly.reading) == index);
    json!({
        "path": text(view.path),
        "resolved": text(view.resolved),
        "steps": work.readings.steps(index),
        "names": names.collect::<Vec<_>>(),
        "anomalies": anomalies.map(|anomaly| anomaly.reason.name()).collect::<Vec<_>>(),
    })
}

fn queries(site: &Site, bytes: &[u8], work: &Work) -> Value {
    let Some(span) = work.head.query else { return json!([]) };
    let mut readings = QueryReadings::default();
    readings.read(span.of(bytes), site.table, &site.pages, &mut Room::default());
    let row = |index| json!({"query": text(readings.get(index)), "steps": readings.steps(index)});
    (0..readings.len()).map(row).collect()
}

/// Bytes for people and JSON: what is not UTF-8 stands as \xHH.
fn text(bytes: &[u8]) -> String {
    bytes
        .utf8_chunks()
        .flat_map(|chunk| {
            let rest = chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}"));
            std::iter::once(chunk.valid().to_string()).chain(rest)
        })
        .collect()
}
