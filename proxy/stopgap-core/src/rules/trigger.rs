//! What wakes a rule: for each formula the most selective set of cheap signs of which every match
//! shows at least one.
//!
//! A leaf gives signs by its field; AND takes the best of its parts, OR the union, a negation or an
//! `under` none. A rule without signs is always tried. Nothing here decides a match: a sign that is
//! too broad costs time, one that is too narrow would be a hole.

use std::collections::BTreeMap;

use crate::rules::expr::{Bound, How, Measure};
use crate::rules::field::Field;
use crate::rules::literal::necessary;
use crate::rules::node::{Leaf, Node, PartTest, Test};
use crate::rules::text::Text;
use crate::rules::usual;
use crate::rules::values::DESTINATION;

/// A text that is searched for literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    Path,
    Query,
    /// Names and values of parameters, and those of forms.
    Param,
    Form,
    Target,
    Header,
    HeaderName,
    Host,
    Method,
    Version,
    Body,
}

impl Group {
    pub const COUNT: usize = 11;
}

/// A number that is compared with thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Size {
    Path,
    Depth,
    /// The longest of them in a reading.
    Segment,
    Extension,
    Target,
    PathRaw,
    QueryRaw,
    /// The most bytes that a reading of the query can have.
    Query,
    Headers,
    Host,
    Method,
    Body,
    /// The most bytes that a reading of the body can have.
    BodyText,
}

impl Size {
    pub const COUNT: usize = 13;
}

/// One sign. All texts but methods are in lower case and compared without regard to ASCII case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trigger {
    Extension(Vec<u8>),
    /// A segment or file name.
    Name(Vec<u8>),
    Literal(Group, Vec<u8>),
    Method(Vec<u8>),
    /// A header of this name is there.
    Header(Vec<u8>),
    /// A header of this name is longer.
    HeaderOver(Vec<u8>, u64),
    /// A header of this name holds the text.
    HeaderHolds(Vec<u8>, Vec<u8>),
    /// A header of this name begins or ends with the sign, which is no letter.
    HeaderEdge(Vec<u8>, u8),
    /// A header of this name holds the two signs, neither of them a letter, side by side.
    HeaderPair(Vec<u8>, [u8; 2]),
    /// A header of this name has no value.
    HeaderEmpty(Vec<u8>),
    Over(Size, u64),
}

/// The signs of a formula, and how often usual requests would show one (1 = hardly ever).
#[derive(Clone, Debug)]
pub struct Triggers {
    pub cost: u64,
    pub list: Vec<Trigger>,
}

/// The signs of a formula; `None`: it must always be tried.
pub fn triggers(node: &Node) -> Option<Triggers> {
    signs(node, &of_leaf)
}

/// The signs that a head shows before the body has come.
pub fn head_triggers(node: &Node) -> Option<Triggers> {
    signs(node, &|leaf| if leaf.field.of_body() { None } else { of_leaf(leaf) })
}

fn signs(node: &Node, of_leaf: &dyn Fn(&Leaf) -> Option<Triggers>) -> Option<Triggers> {
    let of_node = |node: &Node| signs(node, of_leaf);
    match node {
        Node::All(list) => list.iter().filter_map(of_node).min_by_key(|found| found.cost),
        Node::Any(list) => list.iter().map(of_node).collect::<Option<Vec<Triggers>>>().map(union),
        Node::Leaf(leaf) if leaf.negated => None,
        Node::Leaf(leaf) => of_leaf(leaf),
    }
}

fn union(sets: Vec<Triggers>) -> Triggers {
    let cost = sets.iter().map(|set| set.cost).sum();
    Triggers { cost, list: sets.into_iter().flat_map(|set| set.list).collect() }
}

fn of_leaf(leaf: &Leaf) -> Option<Triggers> {
    match &leaf.test {
        Test::Text(text) => of_text(leaf, text),
        Test::Number(measure, Bound::Over(limit)) => of_number(leaf, *measure, *limit),
        Test::Number(_, Bound::Under(_)) => None,
        Test::Same(parts) => {
            let (group, size) = of_pairs(leaf.field);
            let of_part = |test: &PartTest| match test {
                PartTest::Text(text) => each(text, |literal| literal_in(group, literal)),
                PartTest::Length(Bound::Over(n)) | PartTest::Run(Bound::Over(n)) => over(size, *n),
                _ => None,
            };
            parts.iter().filter_map(|part| of_part(&part.test)).min_by_key(|found| found.cost)
        }
    }
}

/// Where the names and values of parameters are searched, and the size that no reading of one exceeds.
fn of_pairs(field: Field) -> (Group, Size) {
    if field == Field::Form { (Group::Form, Size::BodyText) } else { (Group::Param, Size::Query) }
}

fn of_text(leaf: &Leaf, text: &Text) -> Option<Triggers> {
    let equals = text.how() == How::Equals;
    let name = leaf.name.clone().unwrap_or_default();
    match leaf.field {
        Field::Extension if equals => {
            each(text, |value| Some((usual::extension(value), Trigger::Extension(value.to_vec()))))
        }
        Field::Segment | Field::Basename if equals => each(text, of_name),
        Field::Path => each(text, |literal| of_path(text.how(), literal)),
        Field::Extension | Field::Segment | Field::Basename => {
            each(text, |literal| literal_in(Group::Path, literal))
        }
        Field::Query => each(text, |literal| literal_in(Group::Query, literal)),
        Field::Param | Field::Form => {
            let (group, _) = of_pairs(leaf.field);
            let value = each(text, |literal| literal_in(group, literal));
            let name = leaf.name.as_ref().and_then(|name| single(literal_in(group, name)));
            value.into_iter().chain(name).min_by_key(|found| found.cost)
        }
        Field::Target | Field::PathRaw | Field::QueryRaw => {
            each(text, |literal| literal_in(Group::Target, literal))
        }
        Field::Method if equals => {
            each(text, |value| Some((usual::method(value), Trigger::Method(value.to_vec()))))
        }
        Field::Headers if equals => {
            each(text, |value| Some((usual::header(value), Trigger::Header(value.to_vec()))))
        }
        Field::Header => header_text(&name, text, true),
        Field::Cookie => header_text(b"cookie", text, false),
        Field::Headers => each(text, |literal| literal_in(Group::HeaderName, literal)),
        Field::Host => each(text, |literal| literal_in(Group::Host, literal)),
        Field::Method => each(text, |literal| literal_in(Group::Method, literal)),
        Field::Version => each(text, |literal| literal_in(Group::Version, literal)),
        Field::Body => each(text, |literal| literal_in(Group::Body, literal)),
        Field::Depth | Field::Reason => None,
    }
}

/// One sign a value; a regex gives those of its necessary literals.
fn each(text: &Text, sign: impl Fn(&[u8]) -> Option<(u64, Trigger)>) -> Option<Triggers> {
    let mut literals: Vec<Vec<u8>> = text.needles().to_vec();
    for regex in text.regexes() {
        literals.extend(necessary(regex.as_str(), text.folds())?);
    }
    let signs: Option<Vec<(u64, Trigger)>> = literals.iter().map(|literal| sign(literal)).collect();
    let signs = signs?;
    Some(Triggers {
        cost: signs.iter().map(|sign| sign.0).sum(),
        list: signs.into_iter().map(|sign| sign.1).collect(),
    })
}

fn single(sign: Option<(u64, Trigger)>) -> Option<Triggers> {
    sign.map(|(cost, trigger)| Triggers { cost, list: vec![trigger] })
}

fn literal_in(group: Group, literal: &[u8]) -> Option<(u64, Trigger)> {
    let literal = literal.to_ascii_lowercase();
    (!literal.is_empty()).then(|| (usual::literal(&literal), Trigger::Literal(group, literal)))
}

fn of_name(name: &[u8]) -> Option<(u64, Trigger)> {
    Some((usual::name(name), Trigger::Name(name.to_vec())))
}

/// A path literal that holds a whole segment is found as a name, which is cheaper.
fn of_path(how: How, literal: &[u8]) -> Option<(u64, Trigger)> {
    let mut pieces: Vec<&[u8]> = literal.split(|&byte| byte == b'/').collect();
    if how == How::Regex {
        return literal_in(Group::Path, literal);
    }
    if !matches!(how, How::Equals | How::Suffix) {
        pieces.pop();
    }
    // Before the first slash stands nothing (equals, prefix) or part of a segment.
    let whole = pieces.into_iter().skip(1).filter(|piece| is_word(piece)).map(of_name);
    whole.chain([literal_in(Group::Path, literal)]).flatten().min_by_key(|sign| (sign.0, is_literal(&sign.1)))
}

/// Neither empty nor a dot segment, which resolving takes away.
fn is_word(piece: &[u8]) -> bool {
    piece.iter().any(|byte| !matches!(byte, b'.' | b' '))
}

fn is_literal(trigger: &Trigger) -> bool {
    matches!(trigger, Trigger::Literal(..))
}

/// The name where it is seldom sent, else what the value holds. `whole`: the text is the header's, not a part of it.
fn header_text(name: &[u8], text: &Text, whole: bool) -> Option<Triggers> {
    let presence = Triggers { cost: usual::header(name), list: vec![Trigger::Header(name.to_vec())] };
    let value = each(text, |literal| {
        // A Destination is read as a path: what stands in it need not be what a rule sees.
        if name == DESTINATION {
            return None;
        }
        let literal = literal.to_ascii_lowercase();
        let edge = match text.how() {
            How::Prefix if whole => literal.first(),
            How::Suffix if whole => literal.last(),
            _ => None,
        };
        if let Some(&sign) = edge.filter(|sign| !sign.is_ascii_alphabetic()) {
            return Some((usual::EDGE, Trigger::HeaderEdge(name.to_vec(), sign)));
        }
        if let ([one, other], false) = (&*literal, literal.iter().any(u8::is_ascii_alphabetic)) {
            return Some((usual::PAIR, Trigger::HeaderPair(name.to_vec(), [*one, *other])));
        }
        if literal.is_empty() && whole && text.how() == How::Equals {
            return Some((usual::EDGE, Trigger::HeaderEmpty(name.to_vec())));
        }
        let sign = Trigger::HeaderHolds(name.to_vec(), literal.clone());
        // Values that are searched cost more than names.
        (!literal.is_empty()).then(|| (usual::literal(&literal) + 2, sign))
    });
    value.into_iter().chain([presence]).min_by_key(|found| found.cost)
}

/// No number of a request is over a threshold unless these sizes are.
fn of_number(leaf: &Leaf, measure: Measure, limit: u64) -> Option<Triggers> {
    let name = leaf.name.as_deref();
    // n parameters need n - 1 separators and n bytes.
    let pairs = limit.saturating_mul(2);
    match (leaf.field, measure) {
        (Field::Depth, _) | (Field::Segment | Field::Extension | Field::Basename, Measure::Count) => {
            over(Size::Depth, limit)
        }
        (Field::Param | Field::Form, Measure::Count | Measure::Repeat) => {
            let (group, text) = of_pairs(leaf.field);
            let sizes = over(if text == Size::Query { Size::QueryRaw } else { text }, pairs);
            let named = name.and_then(|name| single(literal_in(group, name)));
            named.into_iter().chain(sizes).min_by_key(|found| found.cost)
        }
        (Field::Header, Measure::Count) => {
            let name = name.unwrap_or_default();
            single(Some((usual::header(name), Trigger::Header(name.to_vec()))))
        }
        (Field::Cookie, Measure::Count) => {
            single(Some((usual::header(b"cookie"), Trigger::Header(b"cookie".to_vec()))))
        }
        (Field::Headers, Measure::Count) => over(Size::Headers, limit),
        (Field::Query | Field::QueryRaw, Measure::Count) => None,
        (Field::Path | Field::PathRaw | Field::Target | Field::Method | Field::Version, Measure::Count) => {
            None
        }
        (Field::Host, Measure::Count) => None,
        (Field::Body, Measure::Count | Measure::Length) => over(Size::Body, limit),
        (Field::Body | Field::Form, _) => over(Size::BodyText, limit),
        (Field::Path, _) => over(Size::Path, limit),
        (Field::Extension, _) => over(Size::Extension, limit),
        (Field::Segment | Field::Basename, _) => over(Size::Segment, limit),
        (Field::Query | Field::Param, _) => over(Size::Query, limit),
        (Field::QueryRaw, _) => over(Size::QueryRaw, limit),
        (Field::PathRaw, _) => over(Size::PathRaw, limit),
        (Field::Target, _) => over(Size::Target, limit),
        (Field::Host, _) => over(Size::Host, limit),
        (Field::Method, _) => over(Size::Method, limit),
        (Field::Header, _) => header_over(name.unwrap_or_default(), limit),
        (Field::Cookie, _) => header_over(b"cookie", limit),
        (Field::Headers | Field::Version | Field::Reason, _) => None,
    }
}

fn over(size: Size, limit: u64) -> Option<Triggers> {
    single(Some((usual::size(size, limit), Trigger::Over(size, limit))))
}

fn header_over(name: &[u8], limit: u64) -> Option<Triggers> {
    let cost = if limit >= 200 { 5 } else { 200 };
    single(Some((cost.min(usual::header(name)), Trigger::HeaderOver(name.to_vec(), limit))))
}

/// What wakes a rule, for people: `extension: ida, idq`.
pub fn describe(found: &Option<Triggers>) -> String {
    let Some(found) = found else { return "every request".to_string() };
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for trigger in &found.list {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (kind, value) = match trigger {
            Trigger::Extension(value) => ("extension".to_string(), text(value)),
            Trigger::Name(value) => ("name".to_string(), text(value)),
            Trigger::Literal(group, value) => (format!("{group:?} holds").to_lowercase(), text(value)),
            Trigger::Method(value) => ("method".to_string(), text(value)),
            Trigger::Header(name) => ("header".to_string(), text(name)),
            Trigger::HeaderOver(name, limit) => (format!("header {} over", text(name)), limit.to_string()),
            Trigger::HeaderHolds(name, value) => (format!("header {} holds", text(name)), text(value)),
            Trigger::HeaderEdge(name, sign) => {
                (format!("header {} begins or ends with", text(name)), text(&[*sign]))
            }
            Trigger::HeaderPair(name, pair) => {
                (format!("header {} holds", text(name)), format!("{:?}", text(pair)))
            }
            Trigger::HeaderEmpty(name) => (format!("header {} is", text(name)), "empty".to_string()),
            Trigger::Over(size, limit) => (format!("{size:?} over").to_lowercase(), limit.to_string()),
        };
        let values = kinds.entry(kind).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let kinds: Vec<String> =
        kinds.into_iter().map(|(kind, values)| format!("{kind}: {}", values.join(", "))).collect();
    kinds.join("; ")
}
