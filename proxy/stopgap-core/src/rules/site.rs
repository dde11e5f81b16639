//! The rules of one site, compiled: which rule a request matches, and everything one can know of it.

use std::mem;

use crate::iis::table::{CodePage, ServerTable};
use crate::rules::exceptions::Exceptions;
use crate::rules::field::Field;
use crate::rules::node::{Leaf, Node, Spot};
use crate::rules::prefilter::{Candidates, Prefilter};
use crate::rules::spec::{RuleSpec, SiteSpec};
use crate::rules::trigger::{Triggers, describe, triggers};
use crate::rules::values::{Lazy, Subject};
use crate::verdict::Reason;

/// Buffers that are kept from request to request.
#[derive(Debug, Default)]
pub struct Scratch {
    lazy: Lazy,
    candidates: Candidates,
}

impl Scratch {
    /// The last judgement needed more readings of a query or parameter than are made: what no rule saw
    /// there must not pass.
    pub fn left_readings_out(&self) -> bool {
        self.lazy.incomplete
    }
}

/// The rule that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Index in the specification.
    pub rule: u32,
    pub reason: Reason,
    pub reading: u16,
    /// Offset in the field's value (path, extension, segment, basename: in the reading's path).
    pub offset: u32,
    pub field: &'static str,
}

/// One rule that matches in one reading, whether or not it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub matched: Match,
    /// The text that was found; empty where a number or an absence decided.
    pub text: Vec<u8>,
    /// Index of the site's exception that covers it.
    pub excepted: Option<usize>,
}

/// Immutable; shared by all sessions of a worker.
#[derive(Debug)]
pub struct SiteRules {
    rules: Vec<Rule>,
    prefilter: Prefilter,
    exceptions: Exceptions,
    labels: Vec<(Reason, u32)>,
    reads_body: bool,
    reads_query: bool,
}

#[derive(Debug)]
struct Rule {
    index: u32,
    reason: Reason,
    node: Node,
    /// The answer may differ from reading to reading.
    per_reading: bool,
    /// Exceptions name the rule, so that a match in each reading must be looked at.
    has_exceptions: bool,
    triggers: Option<Triggers>,
}

impl SiteRules {
    /// Compile the rules of `site` that its server table is subject to. Errors name the rule.
    pub fn compile(
        rules: &[RuleSpec],
        site: &SiteSpec,
        table: &'static ServerTable,
        _pages: &[CodePage],
    ) -> Result<SiteRules, String> {
        let exceptions = Exceptions::compile(rules, &site.exceptions)?;
        let mut indexes = site.rules.clone();
        indexes.sort_unstable();
        indexes.dedup();
        let mut compiled = Vec::with_capacity(indexes.len());
        let mut labels: Vec<(Reason, u32)> = Vec::new();
        for index in indexes {
            let spec = rules.get(index as usize).ok_or(format!("rules: no rule has the index {index}"))?;
            if !spec.applies(table.name) {
                continue;
            }
            let labelled = spec.matches.labels();
            if labelled.is_empty() {
                let rule = Rule::compile(index, spec, &exceptions);
                compiled.push(rule.map_err(|error| format!("rule {:?}: match: {error}", spec.id))?);
            }
            labels.extend(labelled.into_iter().map(|reason| (reason, index)));
        }
        let signs: Vec<Option<Triggers>> = compiled.iter().map(|rule| rule.triggers.clone()).collect();
        let prefilter = Prefilter::build(&signs)?;
        let nodes = || compiled.iter().map(|rule| &rule.node).chain(exceptions.conditions());
        let any = |wanted: fn(&Leaf) -> bool| nodes().any(|node| node.leaves().into_iter().any(wanted));
        let (reads_body, reads_query) =
            (any(Leaf::needs_body), any(|leaf| matches!(leaf.field, Field::Query | Field::Param)));
        Ok(SiteRules { rules: compiled, prefilter, exceptions, labels, reads_body, reads_query })
    }

    /// The first rule, in the order of the specification, that matches and is not excepted.
    pub fn first(&self, subject: &Subject<'_>, scratch: &mut Scratch) -> Option<Match> {
        let Scratch { lazy, candidates } = scratch;
        lazy.clear();
        self.prefilter.candidates(self.rules.len(), subject, lazy, candidates);
        let woken = candidates.list.iter().filter_map(|&place| self.rules.get(place as usize));
        woken.map(|rule| self.find(rule, subject, lazy)).find_map(|found| found)
    }

    fn find(&self, rule: &Rule, subject: &Subject<'_>, lazy: &mut Lazy) -> Option<Match> {
        let reading = rule.readings(subject).find(|&reading| {
            rule.node.holds(reading, subject, lazy)
                && self.exceptions.of_rule(rule.index, reading, subject, lazy).is_none()
        })?;
        Some(rule.matched(reading, &rule.node.spot(reading, subject, lazy)))
    }

    /// Every rule in every reading, without the prefilter; excepted matches too.
    pub fn all(&self, subject: &Subject<'_>, scratch: &mut Scratch) -> Vec<Finding> {
        let lazy = &mut scratch.lazy;
        lazy.clear();
        let mut findings = Vec::new();
        for rule in &self.rules {
            for reading in rule.readings(subject) {
                if !rule.node.holds(reading, subject, lazy) {
                    continue;
                }
                let mut spot = rule.node.spot(reading, subject, lazy);
                let excepted = self.exceptions.of_rule(rule.index, reading, subject, lazy);
                let matched = rule.matched(reading, &spot);
                findings.push(Finding { matched, text: mem::take(&mut spot.text), excepted });
            }
        }
        findings
    }

    /// The exception that lets a structural reason pass in this reading.
    pub fn excepted(
        &self,
        reason: Reason,
        reading: usize,
        subject: &Subject<'_>,
        scratch: &mut Scratch,
    ) -> Option<usize> {
        scratch.lazy.clear();
        self.exceptions.of_reason(reason, reading, subject, &mut scratch.lazy)
    }

    /// The rule that gives a structural reason its title and counter.
    pub fn label(&self, reason: Reason) -> Option<u32> {
        self.labels.iter().find(|(labelled, _)| *labelled == reason).map(|(_, rule)| *rule)
    }

    /// Some rule or exception looks at the bytes of the body.
    pub fn reads_body(&self) -> bool {
        self.reads_body
    }

    /// Some rule or exception looks at the decoded query.
    pub fn reads_query(&self) -> bool {
        self.reads_query
    }

    /// What wakes each rule: (index in the specification, text for people).
    pub fn triggers(&self) -> Vec<(u32, String)> {
        let woken = self.rules.iter().map(|rule| (rule.index, describe(&rule.triggers)));
        let labels = self.labels.iter().map(|(reason, rule)| (*rule, format!("reason: {}", reason.name())));
        let mut all: Vec<(u32, String)> = woken.chain(labels).collect();
        all.sort();
        all
    }
}

impl Rule {
    fn compile(index: u32, spec: &RuleSpec, exceptions: &Exceptions) -> Result<Rule, String> {
        let node = Node::compile(&spec.matches)?;
        let per_reading = node.leaves().iter().any(|leaf| leaf.field.per_reading());
        Ok(Rule {
            index,
            reason: spec.matches.reason(),
            per_reading,
            has_exceptions: exceptions.concern(index),
            triggers: triggers(&node),
            node,
        })
    }

    /// The readings to judge: one is enough where all would give the same answer.
    fn readings(&self, subject: &Subject<'_>) -> std::ops::Range<usize> {
        let all = subject.readings.len();
        0..if self.per_reading || self.has_exceptions { all } else { all.min(1) }
    }

    fn matched(&self, reading: usize, spot: &Spot) -> Match {
        Match {
            rule: self.index,
            reason: self.reason,
            reading: u16::try_from(reading).unwrap_or(u16::MAX),
            offset: u32::try_from(spot.offset).unwrap_or(u32::MAX),
            field: spot.field,
        }
    }
}
