//! What a rule's `match` may say: the grammar of expressions in a specification.
//!
//! `{"all": [..]}`, `{"any": [..]}`, `{"not": ..}`, or a leaf: a field and one test of it. Errors
//! name the place inside the expression and what is wrong with it.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::rules::field::{Field, Naming, is_text};
use crate::verdict::Reason;

/// An expression, as written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Leaf(Leaf),
}

/// One test of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    pub field: Field,
    /// Name of the header, cookie or parameter.
    pub name: Option<String>,
    pub test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// One of the values fits.
    Text(How, Vec<String>),
    Number(Measure, Bound),
    /// All parts hold on one and the same parameter.
    Same(Vec<Part>),
}

/// One test of a parameter's name or value.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub on: Side,
    pub test: Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Name,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Equals,
    Prefix,
    Suffix,
    Contains,
    Regex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Bytes of the longest value; 0 where there is none.
    Length,
    /// How many values there are.
    Count,
    /// The longest run of one repeated byte.
    Run,
    /// The most parameters of one name.
    Repeat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Over(u64),
    Under(u64),
}

impl Bound {
    pub fn holds(self, number: u64) -> bool {
        match self {
            Bound::Over(limit) => number > limit,
            Bound::Under(limit) => number < limit,
        }
    }
}

impl TryFrom<Value> for Expr {
    type Error = String;

    fn try_from(value: Value) -> Result<Expr, String> {
        let expr = Expr::read(&value, "")?;
        if !matches!(expr, Expr::Leaf(_)) && expr.leaves().iter().any(|leaf| leaf.field == Field::Reason) {
            return Err("field \"reason\" must stand alone".to_string());
        }
        Ok(expr)
    }
}

impl Expr {
    fn read(value: &Value, at: &str) -> Result<Expr, String> {
        let map = value.as_object().ok_or_else(|| here(at, "must be a table"))?;
        for (key, build) in [("all", Expr::All as fn(Vec<Expr>) -> Expr), ("any", Expr::Any)] {
            if let Some(inner) = map.get(key) {
                alone(map, at)?;
                return Ok(build(Expr::read_list(inner, &join(at, key))?));
            }
        }
        if let Some(inner) = map.get("not") {
            alone(map, at)?;
            return Ok(Expr::Not(Box::new(Expr::read(inner, &join(at, "not"))?)));
        }
        Ok(Expr::Leaf(Leaf::read(map, at)?))
    }

    fn read_list(value: &Value, at: &str) -> Result<Vec<Expr>, String> {
        let list = value.as_array().filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| here(at, "must be a list that is not empty"))?;
        list.iter().enumerate().map(|(i, item)| Expr::read(item, &format!("{at}[{i}]"))).collect()
    }

    /// Every leaf, in document order.
    pub fn leaves(&self) -> Vec<&Leaf> {
        match self {
            Expr::All(list) | Expr::Any(list) => list.iter().flat_map(Expr::leaves).collect(),
            Expr::Not(inner) => inner.leaves(),
            Expr::Leaf(leaf) => vec![leaf],
        }
    }

    /// The leaves that speak for a match: those under no `not`.
    fn positive(&self) -> Vec<&Leaf> {
        match self {
            Expr::All(list) | Expr::Any(list) => list.iter().flat_map(Expr::positive).collect(),
            Expr::Not(_) => Vec::new(),
            Expr::Leaf(leaf) => vec![leaf],
        }
    }

    /// The reason of a refusal: that of the first field tested for text; of the fields that are only
    /// measured, when they agree. What is under `not` is asked when nothing else is there (a list of
    /// allowed methods).
    pub fn reason(&self) -> Reason {
        let positive = self.positive();
        let leaves = if positive.is_empty() { self.leaves() } else { positive };
        let mut reasons = leaves.iter().map(|leaf| leaf.field.reason());
        let text = leaves.iter().find(|leaf| !matches!(leaf.test, Test::Number(..)));
        let agreed = reasons.next().filter(|first| reasons.all(|other| other == *first));
        text.map(|leaf| leaf.field.reason()).or(agreed).unwrap_or(Reason::RuleDenied)
    }

    /// The structural reasons that a rule of field "reason" labels; empty for every other rule.
    pub fn labels(&self) -> Vec<Reason> {
        match self {
            Expr::Leaf(Leaf { field: Field::Reason, test: Test::Text(_, names), .. }) => {
                names.iter().filter_map(|name| reason(name)).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Leaf {
    fn read(map: &Map<String, Value>, at: &str) -> Result<Leaf, String> {
        let name = map.get("field").and_then(Value::as_str);
        let name = name.ok_or_else(|| here(at, "needs \"all\", \"any\", \"not\" or \"field\""))?;
        let field = Field::by_name(name).ok_or_else(|| here(at, &format!("unknown field {name:?}")))?;
        let named = read_name(map, field, at)?;
        let test = if let Some(parts) = map.get("same") {
            only(map, &["field", "same"], at)?;
            if !field.paired() {
                return Err(here(at, "\"same\" goes with the fields \"param\" and \"form\" only"));
            }
            Test::Same(read_parts(parts, &join(at, "same"))?)
        } else {
            Test::read(map, &["field", "name"], |test| field.allows(test), name, at)?
        };
        if let (Field::Reason, Test::Text(_, names)) = (field, &test) {
            if let Some(unknown) = names.iter().find(|name| reason(name).is_none()) {
                return Err(here(at, &format!("unknown reason {unknown:?}")));
            }
        }
        Ok(Leaf { field, name: named, test })
    }
}

impl Test {
    fn read(
        map: &Map<String, Value>,
        also: &[&str],
        allows: impl Fn(&str) -> bool,
        field: &str,
        at: &str,
    ) -> Result<Test, String> {
        let test = map.get("test").and_then(Value::as_str).ok_or_else(|| here(at, "needs \"test\""))?;
        let known = is_text(test) || matches!(test, "length" | "count" | "run" | "repeat");
        if !known {
            return Err(here(at, &format!("unknown test {test:?}")));
        }
        if !allows(test) {
            return Err(here(at, &format!("{field} cannot be tested with {test:?}")));
        }
        if is_text(test) {
            only(map, &[also, &["test", "value"]].concat(), at)?;
            return Ok(Test::Text(how(test), read_values(map, test, at)?));
        }
        only(map, &[also, &["test", "over", "under"]].concat(), at)?;
        let bound = match (map.get("over").and_then(Value::as_u64), map.get("under").and_then(Value::as_u64))
        {
            (Some(limit), None) if !map.contains_key("under") => Bound::Over(limit),
            (None, Some(limit)) if !map.contains_key("over") => Bound::Under(limit),
            _ => return Err(here(at, &format!("{test:?} needs one whole number, \"over\" or \"under\""))),
        };
        let measure = match test {
            "length" => Measure::Length,
            "count" => Measure::Count,
            "run" => Measure::Run,
            _ => Measure::Repeat,
        };
        Ok(Test::Number(measure, bound))
    }
}

fn read_parts(value: &Value, at: &str) -> Result<Vec<Part>, String> {
    let list = value.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| here(at, "must be a list that is not empty"))?;
    list.iter().enumerate().map(|(i, item)| read_part(item, &format!("{at}[{i}]"))).collect()
}

fn read_part(value: &Value, at: &str) -> Result<Part, String> {
    let map = value.as_object().ok_or_else(|| here(at, "must be a table"))?;
    let on = match map.get("on").and_then(Value::as_str) {
        Some("name") => Side::Name,
        Some("value") => Side::Value,
        _ => return Err(here(at, "\"on\" must be \"name\" or \"value\"")),
    };
    let allows = |test: &str| is_text(test) || matches!(test, "length" | "run");
    Ok(Part { on, test: Test::read(map, &["on"], allows, "one parameter", at)? })
}

fn read_name(map: &Map<String, Value>, field: Field, at: &str) -> Result<Option<String>, String> {
    let name = match map.get("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) if !name.is_empty() => Some(name.clone()),
        Some(_) => return Err(here(at, "\"name\" must be a text that is not empty")),
    };
    match (field.naming(), &name) {
        (Naming::Must, None) => Err(here(at, &format!("field {:?} needs \"name\"", field.name()))),
        (Naming::No, Some(_)) => Err(here(at, &format!("field {:?} takes no \"name\"", field.name()))),
        _ => Ok(name),
    }
}

fn read_values(map: &Map<String, Value>, test: &str, at: &str) -> Result<Vec<String>, String> {
    let wrong = || here(at, "\"value\" must be a list of texts that is not empty");
    let list =
        map.get("value").and_then(Value::as_array).filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    let values: Option<Vec<String>> = list.iter().map(|v| v.as_str().map(str::to_string)).collect();
    let values = values.ok_or_else(wrong)?;
    if test != "equals" && values.iter().any(String::is_empty) {
        return Err(here(at, &format!("an empty text with {test:?} fits every request")));
    }
    Ok(values)
}

fn how(test: &str) -> How {
    match test {
        "equals" => How::Equals,
        "prefix" => How::Prefix,
        "suffix" => How::Suffix,
        "contains" => How::Contains,
        _ => How::Regex,
    }
}

/// A reason by its name.
pub fn reason(name: &str) -> Option<Reason> {
    Reason::ALL.iter().copied().find(|reason| reason.name() == name)
}

fn only(map: &Map<String, Value>, keys: &[&str], at: &str) -> Result<(), String> {
    match map.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(here(at, &format!("unknown key {key:?}"))),
        None => Ok(()),
    }
}

fn alone(map: &Map<String, Value>, at: &str) -> Result<(), String> {
    if map.len() == 1 {
        Ok(())
    } else {
        Err(here(at, "\"all\", \"any\" and \"not\" stand alone in their table"))
    }
}

fn here(at: &str, text: &str) -> String {
    if at.is_empty() { text.to_string() } else { format!("{at}: {text}") }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_string() } else { format!("{at}.{key}") }
}
