//! Everything about one request, for people: each reading, each finding, what would be sent.

use serde_json::{Value, json};

use super::{Policy, Request, Site, Work};
use crate::http1::framing::{Framing, Length};
use crate::http1::rewrite;
use crate::iis::readings::QueryReadings;
use crate::verdict::{Reason, Verdict};

impl Policy {
    /// See `_core.pyi` for the shape.
    pub fn explain(&self, bytes: &[u8], site: Option<usize>, work: &mut Work) -> Value {
        let outcome = self.judge_whole(bytes, site, work);
        let Some(site) = self.site(outcome.site) else { return Value::Null };
        let mut value = json!({
            "site": site.name,
            "server": site.table.name,
            "mode": if site.detect { "detect" } else { "block" },
            "method": text(work.head.method.of(bytes)),
            "target": text(work.head.target.of(bytes)),
            "host": text(work.head.host.of(bytes)),
            "verdict": outcome.verdict.map(|verdict| self.verdict(&verdict)),
            "readings": [],
            "queries": [],
            "findings": [],
            "forwarded": null,
        });
        let Some(plan) = outcome.framing else {
            value["findings"] =
                outcome.verdict.iter().map(|verdict| self.structural(verdict, None)).collect();
            return value;
        };
        let path = work.head.path.of(bytes);
        work.readings.read(if path.is_empty() { b"/" } else { path }, site.table, &site.pages);
        value["readings"] = (0..work.readings.len()).map(|index| reading(work, index)).collect();
        value["queries"] = queries(site, bytes, work);
        let body = (!outcome.body.is_empty()).then_some(outcome.body.as_slice());
        let request = Request::new(bytes, &plan, None);
        let request = body.map_or(request, |body| request.with_body(body, body.len() as u64));
        value["findings"] = self.findings(site, &request, outcome.verdict, work);
        let malformed =
            outcome.verdict.is_some_and(|verdict| verdict.reason.tier() >= crate::verdict::Tier::Malformed);
        if !malformed {
            value["forwarded"] = text(&forwarded(site, bytes, &plan, work)).into();
        }
        value
    }

    fn verdict(&self, verdict: &Verdict) -> Value {
        json!({
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
        site: &Site,
        request: &Request<'_>,
        verdict: Option<Verdict>,
        work: &mut Work,
    ) -> Value {
        let Work { head, readings, scratch } = work;
        let subject = site.subject(request, head, readings);
        let mut rows: Vec<Value> = Vec::new();
        for found in site.rules.all(&subject, scratch) {
            rows.push(json!({
                "tier": found.matched.reason.tier().name(),
                "reason": found.matched.reason.name(),
                "rule": self.rule_id(Some(found.matched.rule)),
                "field": found.matched.field,
                "reading": found.matched.reading,
                "offset": found.matched.offset,
                "text": found.matched.reason.text(),
                "found": text(&found.text),
                "excepted": found.excepted,
            }));
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
            rows.push(self.structural(&found, exception));
        }
        Value::Array(rows)
    }

    fn structural(&self, verdict: &Verdict, exception: Option<usize>) -> Value {
        json!({
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
    readings.read(span.of(bytes), site.table, &site.pages);
    let row = |index| json!({"query": text(readings.get(index)), "steps": readings.steps(index)});
    (0..readings.len()).map(row).collect()
}

/// The head as the origin would get it.
fn forwarded(site: &Site, bytes: &[u8], plan: &Framing, work: &Work) -> Vec<u8> {
    let mut out = Vec::new();
    let bodied = matches!(plan.length, Length::Exact(1..) | Length::Chunked);
    let hop = rewrite::Hop {
        client: "client",
        tls: false,
        trusted: false,
        default_host: &site.default_host,
        close: bodied && !site.table.reuse_after_body && !plan.binds,
        upgrade: plan.upgrade.is_some() && site.permits_upgrade(bytes, &work.head, plan),
    };
    rewrite::head(bytes, &work.head, plan, &hop, &mut out);
    let length = match plan.length {
        Length::Exact(size) => Some(size),
        _ => None,
    };
    rewrite::finish(&mut out, length);
    out
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
