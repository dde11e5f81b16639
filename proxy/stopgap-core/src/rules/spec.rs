//! What Python hands to the core: rules and sites as JSON, checked to the last key.
//!
//! Errors are one line that names the rule or the site, the key, and what is wrong.

use std::collections::BTreeMap;
use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::evidence::Keeping;
use crate::http1::head::is_token;
use crate::http1::sticky::Sticky;
use crate::iis::table::{SERVERS, ServerTable};
use crate::rate;
use crate::rules::exceptions::Exceptions;
pub use crate::rules::expr::Expr;
use crate::rules::expr::reason;
use crate::rules::field::Field;
use crate::rules::node::Node;
use crate::verdict::{Action, Mode, Tier};

/// Counters of rules and sites are places on the board.
const RULE_COUNTERS: u32 = 16384;
const SITE_COUNTERS: u32 = 256;
const EXCEPTION_COUNTERS: u32 = 4096;
/// Headers that framing and routing rest on: no rule may strip them.
const UNSTRIPPED: [&str; 4] = ["connection", "content-length", "host", "transfer-encoding"];

#[derive(Clone, Debug)]
pub struct Spec {
    pub rules: Vec<RuleSpec>,
    pub sites: Vec<SiteSpec>,
    /// New connections of one client a minute; 0: any number.
    pub new_connections: u32,
    /// Connections of one client, and of all, at once; 0: any number.
    pub client_connections: u32,
    pub max_connections: u32,
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
    #[serde(default)]
    pub action: Action,
    /// Headers that are not forwarded when the rule matches; with `Action::Strip` only.
    #[serde(default)]
    pub strip: Vec<String>,
    /// The rule acts only on a client that matched more than so often.
    #[serde(default)]
    pub rate: Option<RateSpec>,
    /// It forbids what some sites use every day, and guards no hole.
    #[serde(default)]
    pub policy: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSpec {
    pub over: u32,
    /// Seconds.
    pub per: u32,
    /// The field whose different values are counted instead of the matches.
    #[serde(default)]
    pub distinct: Option<DistinctSpec>,
    /// Statuses of answers that count; empty: all, at once.
    #[serde(default)]
    pub answers: Vec<u16>,
}

/// `{"field": "param", "name": "d"}`; the path has no name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistinctSpec {
    pub field: String,
    #[serde(default)]
    pub name: Option<String>,
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
    /// Percent of clients for whom mode "canary" blocks.
    #[serde(default)]
    pub canary: u8,
    /// Modes of single rules (by id) and reasons (by name).
    #[serde(default)]
    pub modes: BTreeMap<String, Mode>,
    /// The only methods that are taken; empty: every one.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Indexes into the rules of the specification.
    pub rules: Vec<u32>,
    pub limits: BTreeMap<String, u64>,
    pub deadlines: BTreeMap<String, f64>,
    pub body: BodyMode,
    pub raw_bytes: RawBytes,
    #[serde(default)]
    pub on_error: OnError,
    #[serde(default)]
    pub scrub: ScrubSpec,
    /// The cookie that says which origin a client belongs to.
    #[serde(default)]
    pub sticky: Option<Sticky>,
    /// What is kept of the requests' bytes.
    #[serde(default)]
    pub evidence: Option<EvidenceSpec>,
    /// Seconds of Strict-Transport-Security; 0: none.
    #[serde(default)]
    pub hsts: u32,
    /// Protocols that a request may upgrade to.
    #[serde(default)]
    pub upgrade: Vec<String>,
    #[serde(default)]
    pub exceptions: Vec<ExceptionSpec>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceSpec {
    /// Bytes of a body.
    pub body: u32,
    /// The share of requests that pass, 0 to 1.
    pub passes: f64,
}

impl EvidenceSpec {
    pub fn keeping(&self) -> Keeping {
        Keeping { body: self.body as usize, passes: (self.passes.clamp(0.0, 1.0) * 4_294_967_296.0) as u64 }
    }
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
    /// The rule is judged as if the request had not these fields.
    #[serde(default)]
    pub fields: Vec<FieldSpec>,
    /// Stable place on the board, 0..4095.
    #[serde(default)]
    pub counter: Option<u32>,
}

/// One named field: `{"field": "param", "name": "q"}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldSpec {
    pub field: String,
    pub name: String,
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

/// What becomes of a request that cannot be judged to the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    #[default]
    Refuse,
    Forward,
}

/// What is left out of the answers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScrubSpec {
    /// Fields that say which server it is.
    pub server: bool,
    /// Addresses and names of the network behind.
    pub addresses: bool,
    /// The hosts of the origins.
    pub origins: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rules: Vec<Value>,
    sites: Vec<Value>,
    #[serde(default)]
    new_connections: u32,
    #[serde(default)]
    client_connections: u32,
    #[serde(default)]
    max_connections: u32,
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
        let Document { new_connections, client_connections, max_connections, .. } = document;
        for (key, most) in [
            ("new_connections", new_connections),
            ("client_connections", client_connections),
            ("max_connections", max_connections),
        ] {
            if most > rate::MOST {
                return Err(format!("{key}: {most} is not between 0 and {}", rate::MOST));
            }
        }
        Ok(Spec { rules, sites, new_connections, client_connections, max_connections })
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
        self.check_strip().map_err(|error| format!("strip: {error}"))?;
        let Some(rate) = &self.rate else { return Ok(()) };
        if self.action == Action::Strip || !self.matches.labels().is_empty() {
            return Err("rate: goes with a match, and with any action but \"strip\"".to_string());
        }
        rate.check().map_err(|error| format!("rate.{error}"))
    }

    fn check_strip(&self) -> Result<(), String> {
        match (self.action, self.strip.is_empty()) {
            (Action::Strip, true) => return Err("action \"strip\" needs the names of headers".to_string()),
            (Action::Strip, false) => {}
            (_, true) => return Ok(()),
            (_, false) => return Err("goes with action \"strip\" only".to_string()),
        }
        if let Some(name) = self.strip.iter().find(|name| !is_token(name.as_bytes())) {
            return Err(format!("{name:?} is no header name"));
        }
        let kept = |name: &&String| UNSTRIPPED.iter().any(|kept| name.eq_ignore_ascii_case(kept));
        if let Some(name) = self.strip.iter().find(kept) {
            return Err(format!("{name:?} cannot be left out: framing and routing rest on it"));
        }
        if self.matches.leaves().iter().any(|leaf| leaf.field.of_body()) {
            return Err("a rule that looks at the body comes too late to leave a header out".to_string());
        }
        Ok(())
    }

    /// Whether the rule is tried on a site with this server table.
    pub fn applies(&self, server: &str) -> bool {
        server == "any" || self.servers.is_empty() || self.servers.iter().any(|s| s == server)
    }
}

impl RateSpec {
    fn check(&self) -> Result<(), String> {
        let most = if self.distinct.is_some() { rate::MOST_DISTINCT } else { rate::MOST };
        within("over", self.over, 1, most)?;
        within("per", self.per, 1, rate::LONGEST)?;
        self.answers.iter().try_for_each(|status| within("answers", u32::from(*status), 100, 599))?;
        self.distinct.as_ref().map_or(Ok(()), |distinct| distinct.field().map(|_| ()))
    }
}

impl DistinctSpec {
    pub fn field(&self) -> Result<Field, String> {
        let named = self.name.as_ref().is_some_and(|name| !name.is_empty());
        match Field::by_name(&self.field) {
            Some(Field::Path) if self.name.is_none() => Ok(Field::Path),
            Some(field @ (Field::Param | Field::Form | Field::Header | Field::Cookie)) if named => Ok(field),
            _ => Err("distinct: must be a named param, form, header or cookie, or the path".to_string()),
        }
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
            if let Some(counter) = exception.counter {
                below(&format!("exceptions[{i}].counter"), counter, EXCEPTION_COUNTERS)?;
            }
        }
        if self.canary > 100 {
            return Err(format!("canary: {} is more than 100 percent", self.canary));
        }
        let named = self.sticky.iter().flat_map(|sticky| sticky.values.iter().chain([&sticky.cookie]));
        if let Some(text) = named.into_iter().find(|text| !is_token(text.as_bytes())) {
            return Err(format!("sticky: {text:?} is no token"));
        }
        if let Some(method) = self.methods.iter().find(|method| !is_token(method.as_bytes())) {
            return Err(format!("methods: {method:?} is no method"));
        }
        for named in self.modes.keys().filter(|named| !ids.contains(named.as_str())) {
            match reason(named) {
                None => return Err(format!("modes: {named:?} is neither a rule nor a reason")),
                Some(reason) if reason.tier() >= Tier::Malformed => {
                    return Err(format!("modes: {named:?} is refused in every mode"));
                }
                Some(_) => {}
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

fn within(key: &str, number: u32, least: u32, most: u32) -> Result<(), String> {
    if (least..=most).contains(&number) {
        Ok(())
    } else {
        Err(format!("{key}: {number} is not between {least} and {most}"))
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
