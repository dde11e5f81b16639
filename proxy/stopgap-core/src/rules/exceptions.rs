//! When a match does not count: a site's exceptions, for rules and for structural reasons.

use rustc_hash::FxHashMap;

use crate::rules::expr::reason;
use crate::rules::glob::Glob;
use crate::rules::network::Network;
use crate::rules::node::Node;
use crate::rules::spec::{ExceptionSpec, RuleSpec};
use crate::rules::values::{Lazy, Subject};
use crate::rules::without::{Fields, Without};
use crate::verdict::{Reason, Tier};

/// The compiled exceptions of a site.
#[derive(Debug, Default)]
pub struct Exceptions {
    list: Vec<Exception>,
    /// Exceptions by the rule they are for (index in the specification).
    rules: FxHashMap<u32, Vec<usize>>,
    reasons: FxHashMap<Reason, Vec<usize>>,
}

#[derive(Debug)]
struct Exception {
    path: Option<Glob>,
    clients: Vec<Network>,
    when: Option<Node>,
    fields: Fields,
    counter: Option<u32>,
}

impl Exceptions {
    pub fn compile(rules: &[RuleSpec], specs: &[ExceptionSpec]) -> Result<Exceptions, String> {
        let mut all = Exceptions::default();
        for (index, spec) in specs.iter().enumerate() {
            let at = |error: String| format!("exceptions[{index}] for {:?}: {error}", spec.rule);
            if let Some(reason) = reason(&spec.rule) {
                if !matches!(reason.tier(), Tier::Denied | Tier::Ambiguous) {
                    return Err(at("a malformed request can never be let through".to_string()));
                }
                all.reasons.entry(reason).or_default().push(index);
            }
            match rules.iter().position(|rule| rule.id == spec.rule) {
                Some(rule) => {
                    all.rules.entry(u32::try_from(rule).unwrap_or(u32::MAX)).or_default().push(index);
                }
                None if spec.fields.is_empty() => {}
                None => return Err(at("fields: only a rule can be judged without fields".to_string())),
            }
            all.list.push(Exception::compile(spec).map_err(at)?);
        }
        Ok(all)
    }

    /// The first exception that covers a match of `rule`, whose formula is `node`, in this reading.
    pub fn of_rule(
        &self,
        rule: u32,
        node: &Node,
        reading: usize,
        subject: &Subject<'_>,
        lazy: &mut Lazy,
    ) -> Option<usize> {
        self.covering(self.rules.get(&rule)?, Some(node), reading, subject, lazy)
    }

    /// The first exception that covers a structural reason seen in this reading.
    pub fn of_reason(
        &self,
        reason: Reason,
        reading: usize,
        subject: &Subject<'_>,
        lazy: &mut Lazy,
    ) -> Option<usize> {
        self.covering(self.reasons.get(&reason)?, None, reading, subject, lazy)
    }

    /// Whether the rule has exceptions at all.
    pub fn concern(&self, rule: u32) -> bool {
        self.rules.contains_key(&rule)
    }

    /// Place on the board of an exception's hits.
    pub fn counter(&self, index: usize) -> Option<u32> {
        self.list.get(index)?.counter
    }

    fn covering(
        &self,
        list: &[usize],
        node: Option<&Node>,
        reading: usize,
        subject: &Subject<'_>,
        lazy: &mut Lazy,
    ) -> Option<usize> {
        let mut covers = |&&index: &&usize| {
            self.list.get(index).is_some_and(|exception| {
                exception.covers(reading, subject, lazy)
                    && (exception.fields.is_empty()
                        || node.is_some_and(|node| exception.clears(index, node, reading, subject, lazy)))
            })
        };
        list.iter().find(|index| covers(index)).copied()
    }
}

impl Exception {
    fn compile(spec: &ExceptionSpec) -> Result<Exception, String> {
        let path = spec.path.as_deref().map(Glob::compile).transpose()?;
        let clients: Result<Vec<Network>, String> =
            spec.clients.iter().map(|text| Network::parse(text)).collect();
        let when =
            spec.when.as_ref().map(Node::compile).transpose().map_err(|error| format!("when: {error}"))?;
        let fields = Fields::compile(&spec.fields).map_err(|error| format!("fields: {error}"))?;
        Ok(Exception { path, clients: clients?, when, fields, counter: spec.counter })
    }

    fn covers(&self, reading: usize, subject: &Subject<'_>, lazy: &mut Lazy) -> bool {
        if !self.clients.is_empty() {
            let Some(client) = subject.client else { return false };
            if !self.clients.iter().any(|network| network.contains(client)) {
                return false;
            }
        }
        if let Some(glob) = &self.path {
            let view = subject.readings.view(reading);
            if !glob.matches(view.path) || !glob.matches(view.resolved) {
                return false;
            }
        }
        self.when.as_ref().is_none_or(|when| when.holds(reading, subject, lazy))
    }

    /// The rule does not hold of the request without the fields that the exception hides.
    fn clears(
        &self,
        index: usize,
        node: &Node,
        reading: usize,
        subject: &Subject<'_>,
        lazy: &mut Lazy,
    ) -> bool {
        if !lazy.without.iter().any(|made| made.exception == index) {
            lazy.without.push(Without::new(index, &self.fields, subject));
        }
        let made = lazy.without.iter_mut().find(|made| made.exception == index);
        made.is_some_and(|made| made.clears(node, reading, subject))
    }
}
