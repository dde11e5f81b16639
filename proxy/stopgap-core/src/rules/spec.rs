//! What Python hands to the core: rules and sites as JSON, checked to the last key.
//!
//! Errors are one line that names the rule or the site, the key, and what is wrong.

use std::collections::BTreeMap;
use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::iis::table::{SERVERS, ServerTable};
use crate::rules::exceptions::Exceptions;
pub use crate::rules::expr::Expr;
use crate::rules::expr::reason;
use crate::rules::field::Field;
use crate::rules::node::Node;

/// Counters of rules and sites are places on the board.
const RULE_COUNTERS: u32 = 16384;
const SITE_COUNTERS: u32 = 256;

#[derive(Clone, Debug)]
pub struct Spec {
    pub rules: Vec<RuleSpec>,
    pub sites: Vec<SiteSpec>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    pub id: String,
    /// Stable place on the board, 0..16383.
    pub counter: u32,
    /// Server tables the rule is for; empty: all.
    #[serde(default)]
    pub servers: Vec<String>,
    /// HTTP status of the refusal; `None`: the reason's own.
    #[serde(default)]
    pub status: Option<u16>,
    #[serde(rename = "match")]
    pub matches: Expr,
    /// Narrower conditions by name, which exceptions may take up.
    #[serde(default)]
    pub compat: BTreeMap<String, Expr>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteSpec {
    pub name: String,
    /// Stable place on the board, 0..255.
    pub counter: u32,
    /// `*`, a name, or `*.suffix`; lower case, without port.
    pub hosts: Vec<String>,
    /// Host for a request that has none (catalogue R10); empty: the first plain name of `hosts`.
    #[serde(default)]
    pub default_host: String,
    pub server: String,
    #[serde(default)]
    pub codepages: Vec<u16>,
    pub mode: Mode,
    /// Indexes into the rules of the specification.
    pub rules: Vec<u32>,
    pub limits: BTreeMap<String, u64>,
    pub deadlines: BTreeMap<String, f64>,
    pub body: BodyMode,
    pub raw_bytes: RawBytes,
    /// Protocols that a request may upgrade to.
    #[serde(default)]
    pub upgrade: Vec<String>,
    #[serde(default)]
    pub exceptions: Vec<ExceptionSpec>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExceptionSpec {
    /// Id of a rule, or the name of an ambiguous or denied reason.
    pub rule: String,
    /// Glob over the whole path; `None`: every path.
    #[serde(default)]
    pub path: Option<String>,
    /// Networks of clients; empty: all.
    #[serde(default)]
    pub clients: Vec<String>,
    /// A condition on the request.
    #[serde(default)]
    pub when: Option<Expr>,
}

/// What happens to a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Block,
    Detect,
}

/// Whether a body is held until it is whole (design section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyMode {
    Buffer,
    Stream,
}

/// Where raw bytes above 0x7F may stand in a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawBytes {
    Refuse,
    Query,
    Allow,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rules: Vec<Value>,
    sites: Vec<Value>,
}

impl Spec {
    /// Read and check a specification.
    pub fn parse(json: &[u8]) -> Result<Spec, String> {
        let document: Document =
            serde_json::from_slice(json).map_err(|error| format!("specification: {error}"))?;
        let rules = read_all::<RuleSpec>("rule", "id", document.rules)?;
        let sites = read_all::<SiteSpec>("site", "name", document.sites)?;
        let mut ids = HashSet::new();
        for rule in &rules {
            if !ids.insert(rule.id.as_str()) {
                return Err(format!("rule {:?}: id: used twice", rule.id));
            }
            rule.check().map_err(|error| format!("rule {:?}: {error}", rule.id))?;
        }
        let mut names = HashSet::new();
        for site in &sites {
            if !names.insert(site.name.as_str()) {
                return Err(format!("site {:?}: name: used twice", site.name));
            }
            site.check(&rules, &ids).map_err(|error| format!("site {:?}: {error}", site.name))?;
        }
        Ok(Spec { rules, sites })
    }
}

impl RuleSpec {
    fn check(&self) -> Result<(), String> {
        below("counter", self.counter, RULE_COUNTERS)?;
        self.servers.iter().try_for_each(|server| known_server("servers", server))?;
        if self.status.is_some_and(|status| !(400..=599).contains(&status)) {
            return Err("status: must be between 400 and 599".to_string());
        }
        let compat = self.compat.iter().map(|(name, expr)| (format!("compat.{name}"), expr));
        for (key, expr) in [("match".to_string(), &self.matches)].into_iter().chain(compat) {
            if key != "match" && expr.leaves().iter().any(|leaf| leaf.field == Field::Reason) {
                return Err(format!("{key}: field \"reason\" belongs in \"match\""));
            }
            Node::compile(expr).map_err(|error| format!("{key}: {error}"))?;
        }
        Ok(())
    }

    /// Whether the rule is tried on a site with this server table.
    pub fn applies(&self, server: &str) -> bool {
        server == "any" || self.servers.is_empty() || self.servers.iter().any(|s| s == server)
    }
}

impl SiteSpec {
    fn check(&self, rules: &[RuleSpec], ids: &HashSet<&str>) -> Result<(), String> {
        below("counter", self.counter, SITE_COUNTERS)?;
        known_server("server", &self.server)?;
        if let Some(index) = self.rules.iter().find(|&&index| index as usize >= rules.len()) {
            return Err(format!("rules: no rule has the index {index}"));
        }
        if let Some((key, _)) = self.deadlines.iter().find(|(_, value)| !value.is_finite() || **value < 0.0) {
            return Err(format!("deadlines.{key}: must be a number of at least 0"));
        }
        for (i, exception) in self.exceptions.iter().enumerate() {
            let named = exception.rule.as_str();
            if !ids.contains(named) && reason(named).is_none() {
                return Err(format!("exceptions[{i}].rule: {named:?} is neither a rule nor a reason"));
            }
        }
        Exceptions::compile(rules, &self.exceptions).map(|_| ())
    }
}

fn read_all<T: DeserializeOwned>(kind: &str, key: &str, values: Vec<Value>) -> Result<Vec<T>, String> {
    let mut list = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let name = match value.get(key).and_then(Value::as_str) {
            Some(name) => format!("{kind} {name:?}"),
            None => format!("{kind} number {index}"),
        };
        list.push(read_one(value).map_err(|error| format!("{name}: {error}"))?);
    }
    Ok(list)
}

/// Keys whose expressions carry their own place; serde alone would not say which key was wrong.
const EXPRESSIONS: [&str; 2] = ["match", "when"];

fn read_one<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    for key in EXPRESSIONS {
        read_expr(key, value.get(key))?;
    }
    if let Some(Value::Object(compat)) = value.get("compat") {
        compat.iter().try_for_each(|(key, expr)| read_expr(&format!("compat.{key}"), Some(expr)))?;
    }
    if let Some(Value::Array(list)) = value.get("exceptions") {
        for (i, exception) in list.iter().enumerate() {
            let expr = exception.get("when").filter(|when| !when.is_null());
            read_expr(&format!("exceptions[{i}].when"), expr)?;
        }
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn read_expr(key: &str, value: Option<&Value>) -> Result<(), String> {
    match value {
        Some(value) => Expr::try_from(value.clone()).map(|_| ()).map_err(|error| format!("{key}: {error}")),
        None => Ok(()),
    }
}

fn below(key: &str, number: u32, limit: u32) -> Result<(), String> {
    if number < limit { Ok(()) } else { Err(format!("{key}: {number} is not below {limit}")) }
}

fn known_server(key: &str, server: &str) -> Result<(), String> {
    if ServerTable::named(server).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = SERVERS.iter().map(|table| table.name).collect();
    Err(format!("{key}: unknown server {server:?}; known are {}", known.join(" ")))
}
