//! The rules of one site, compiled: which rule a request matches, and everything one can know of it.

use std::hash::Hasher;
use std::mem;

use rustc_hash::FxHasher;

use crate::iis::table::{CodePage, ServerTable};
use crate::policy::{Cost, Watch};
use crate::rules::exceptions::Exceptions;
use crate::rules::field::Field;
use crate::rules::node::{Leaf, Node, Spot};
use crate::rules::prefilter::{Candidates, Prefilter};
use crate::rules::spec::{RuleSpec, SiteSpec};
use crate::rules::trigger::{Triggers, describe, head_triggers, triggers};
use crate::rules::values::{Lazy, Subject, values};
use crate::verdict::Reason;

/// Buffers that are kept from request to request.
#[derive(Debug, Default)]
pub struct Scratch {
    lazy: Lazy,
    candidates: Candidates,
    /// Indexes of the exceptions that let something pass in this judgement.
    pub used: Vec<usize>,
}

impl Scratch {
    /// The last judgement needed more readings of a query or parameter than are made: what no rule saw
    /// there must not pass.
    pub fn left_readings_out(&self) -> bool {
        self.lazy.incomplete
    }

    /// So it did of a parameter in the body's form.
    pub fn left_form_out(&self) -> bool {
        self.lazy.unread_form
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
    /// What a rule with a rate counts the different values of, as a hash; `None` where it is not there.
    pub value: Option<u64>,
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
    awaiting: Awaiting,
}

/// The rules that look at the body, and what the head must show for one of them to match.
#[derive(Debug)]
struct Awaiting {
    /// Places in `SiteRules::rules`.
    places: Vec<u32>,
    prefilter: Prefilter,
    /// One of them looks at the bytes, and not at the length alone.
    bytes: bool,
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
    /// The field whose different values are counted, and its name in lower case.
    distinct: Option<(Field, Option<Vec<u8>>)>,
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
        let awaiting = Awaiting::build(&compiled)?;
        Ok(SiteRules { rules: compiled, prefilter, exceptions, labels, awaiting })
    }

    /// Whether some rule could still match when the body has come. An exception's condition on the body
    /// makes none wait: it opens nothing that the head has already shown.
    pub fn awaits_body(&self, subject: &Subject<'_>, scratch: &mut Scratch) -> bool {
        let Awaiting { places, prefilter, bytes } = &self.awaiting;
        if places.is_empty() || (!bytes && subject.body_length.is_some()) {
            return false;
        }
        let Scratch { lazy, candidates, .. } = scratch;
        lazy.clear();
        prefilter.candidates(places.len(), subject, lazy, candidates);
        let woken = candidates.list.iter().filter_map(|&place| places.get(place as usize));
        let mut rules = woken.filter_map(|&place| self.rules.get(place as usize));
        rules.any(|rule| rule.awaits_body(subject, lazy))
    }

    /// The first rule that matches, is not excepted and `stops` the judgement: of those that path, method
    /// or headers wake, and only then of those that the query or the body wakes; each in the order of the
    /// specification. So a worm's query is never decoded.
    pub fn first(
        &self,
        subject: &Subject<'_>,
        scratch: &mut Scratch,
        mut stops: impl FnMut(&Match) -> bool,
    ) -> Option<Match> {
        let Scratch { lazy, candidates, used } = scratch;
        lazy.clear();
        self.prefilter.plain(self.rules.len(), subject, candidates);
        let mut ask = |places: &[u32], lazy: &mut Lazy| {
            let woken = places.iter().filter_map(|&place| self.rules.get(place as usize));
            woken.filter_map(|rule| self.find(rule, subject, lazy, used)).find(|found| stops(found))
        };
        if let Some(found) = ask(&candidates.list, lazy) {
            return Some(found);
        }
        let asked = candidates.list.len();
        self.prefilter.decoded(subject, lazy, candidates);
        ask(candidates.list.get(asked..).unwrap_or(&[]), lazy)
    }

    fn find(
        &self,
        rule: &Rule,
        subject: &Subject<'_>,
        lazy: &mut Lazy,
        used: &mut Vec<usize>,
    ) -> Option<Match> {
        let mut covered = None;
        for reading in rule.readings(subject) {
            if !rule.node.holds(reading, subject, lazy) {
                continue;
            }
            match self.exceptions.of_rule(rule.index, &rule.node, reading, subject, lazy) {
                None => {
                    let found = rule.matched(reading, &rule.node.spot(reading, subject, lazy));
                    return Some(Match { value: rule.value(reading, subject, lazy), ..found });
                }
                exception => covered = covered.or(exception),
            }
        }
        used.extend(covered);
        None
    }

    /// Add what waking the rules takes, and what each rule that is woken does.
    pub fn timed(
        &self,
        subject: &Subject<'_>,
        scratch: &mut Scratch,
        watch: &Watch<'_>,
        prefilter: &mut Cost,
        rules: &mut [Cost],
    ) {
        let Scratch { lazy, candidates, used } = scratch;
        lazy.clear();
        used.clear();
        watch.time(prefilter, || {
            self.prefilter.candidates(self.rules.len(), subject, lazy, candidates);
        });
        for rule in candidates.list.iter().filter_map(|&place| self.rules.get(place as usize)) {
            if let Some(cost) = rules.get_mut(rule.index as usize) {
                let found = watch.time(cost, || self.find(rule, subject, lazy, used));
                cost.matched += u64::from(found.is_some());
            }
        }
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
                let excepted = self.exceptions.of_rule(rule.index, &rule.node, reading, subject, lazy);
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

    /// Place on the board of an exception's hits.
    pub fn exception_counter(&self, exception: usize) -> Option<usize> {
        self.exceptions.counter(exception).map(|counter| counter as usize)
    }

    /// The rules that count here, each with a reason that it gives or labels.
    pub fn reasons(&self) -> impl Iterator<Item = (u32, Reason)> + '_ {
        let rules = self.rules.iter().map(|rule| (rule.index, rule.reason));
        rules.chain(self.labels.iter().map(|(reason, rule)| (*rule, *reason)))
    }

    /// The rule that gives a structural reason its title and counter.
    pub fn label(&self, reason: Reason) -> Option<u32> {
        self.labels.iter().find(|(labelled, _)| *labelled == reason).map(|(_, rule)| *rule)
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

impl Awaiting {
    fn build(rules: &[Rule]) -> Result<Awaiting, String> {
        let asks = |rule: &Rule, what: fn(&Leaf) -> bool| rule.node.leaves().into_iter().any(what);
        let reads = |rule: &Rule| rule.counts_forms() || asks(rule, |leaf| leaf.field.of_body());
        let awaiting: Vec<(u32, &Rule)> = (0u32..).zip(rules).filter(|(_, rule)| reads(rule)).collect();
        let signs: Vec<Option<Triggers>> =
            awaiting.iter().map(|(_, rule)| head_triggers(&rule.node)).collect();
        Ok(Awaiting {
            bytes: awaiting.iter().any(|(_, rule)| rule.counts_forms() || asks(rule, Leaf::needs_body)),
            places: awaiting.into_iter().map(|(place, _)| place).collect(),
            prefilter: Prefilter::build(&signs)?,
        })
    }
}

impl Rule {
    /// It could match with the body, and does not without.
    fn awaits_body(&self, subject: &Subject<'_>, lazy: &mut Lazy) -> bool {
        let unknown = self.node.leaves().into_iter().any(|leaf| leaf.unknown(subject));
        let uncounted = self.counts_forms() && subject.body.is_none() && subject.posts_form();
        (unknown || uncounted)
            && self.readings(subject).any(|reading| self.node.possible(reading, subject, lazy))
    }

    fn counts_forms(&self) -> bool {
        self.distinct.as_ref().is_some_and(|(field, _)| *field == Field::Form)
    }

    /// All values of the field that the rule counts, as a hash.
    fn value(&self, reading: usize, subject: &Subject<'_>, lazy: &mut Lazy) -> Option<u64> {
        let (field, name) = self.distinct.as_ref()?;
        let (mut hasher, mut seen) = (FxHasher::default(), false);
        values(*field, name.as_deref(), reading, subject, lazy, |value, _| {
            hasher.write(value);
            hasher.write_u8(0);
            seen = true;
            false
        });
        seen.then(|| hasher.finish())
    }

    fn compile(index: u32, spec: &RuleSpec, exceptions: &Exceptions) -> Result<Rule, String> {
        let node = Node::compile(&spec.matches)?;
        let distinct = spec.rate.as_ref().and_then(|rate| rate.distinct.as_ref());
        let lower = |name: &String| name.to_ascii_lowercase().into_bytes();
        let distinct = distinct.map(|counted| Ok((counted.field()?, counted.name.as_ref().map(lower))));
        let distinct = distinct.transpose().map_err(|error: String| error)?;
        let per_reading = node.leaves().iter().any(|leaf| leaf.field.per_reading());
        Ok(Rule {
            index,
            reason: if spec.rate.is_some() { Reason::RateExceeded } else { spec.matches.reason() },
            per_reading,
            has_exceptions: exceptions.concern(index),
            triggers: triggers(&node),
            distinct,
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
            value: None,
        }
    }
}
