//! Whether an expression holds of a request: the plain evaluation, which defines what rules mean.
//!
//! A formula is judged once a reading of the path: its path, extension, segment, basename and depth
//! tests must hold on one and the same reading. Every other field holds if any of its values or
//! readings does. `not` is pushed down to the leaves when a rule is compiled. While the body is not
//! there, a leaf that needs its bytes is false, negated or not: nothing is known of it.

use crate::rules::expr::{Bound, Expr, Leaf as LeafSpec, Measure, Part as PartSpec, Side, Test as TestSpec};
use crate::rules::field::Field;
use crate::rules::measure::{longest_run, measure, most};
use crate::rules::text::Text;
use crate::rules::values::{Lazy, Param, Params, Subject, values};

/// A compiled expression in negation normal form.
#[derive(Clone, Debug)]
pub enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Leaf(Leaf),
}

#[derive(Clone, Debug)]
pub struct Leaf {
    pub field: Field,
    /// Lower-case name of the header, cookie or parameter.
    pub name: Option<Vec<u8>>,
    pub negated: bool,
    pub test: Test,
}

#[derive(Clone, Debug)]
pub enum Test {
    Text(Text),
    Number(Measure, Bound),
    Same(Vec<Part>),
}

#[derive(Clone, Debug)]
pub struct Part {
    pub on: Side,
    pub test: PartTest,
}

#[derive(Clone, Debug)]
pub enum PartTest {
    Text(Text),
    Length(Bound),
    Run(Bound),
}

/// Where a leaf was seen to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    pub field: &'static str,
    /// Offset in the value (for the path family: in the reading's path).
    pub offset: usize,
    /// The text that fitted; empty for numbers and negations.
    pub text: Vec<u8>,
}

impl Node {
    pub fn compile(expr: &Expr) -> Result<Node, String> {
        Node::build(expr, false)
    }

    fn build(expr: &Expr, negated: bool) -> Result<Node, String> {
        let list = |list: &[Expr]| -> Result<Vec<Node>, String> {
            list.iter().map(|inner| Node::build(inner, negated)).collect()
        };
        match (expr, negated) {
            (Expr::All(inner), false) | (Expr::Any(inner), true) => Ok(Node::All(list(inner)?)),
            (Expr::Any(inner), false) | (Expr::All(inner), true) => Ok(Node::Any(list(inner)?)),
            (Expr::Not(inner), _) => Node::build(inner, !negated),
            (Expr::Leaf(leaf), _) => Ok(Node::Leaf(Leaf::compile(leaf, negated)?)),
        }
    }

    pub fn leaves(&self) -> Vec<&Leaf> {
        match self {
            Node::All(list) | Node::Any(list) => list.iter().flat_map(Node::leaves).collect(),
            Node::Leaf(leaf) => vec![leaf],
        }
    }

    /// Whether the formula holds on this reading.
    pub fn holds(&self, reading: usize, subject: &Subject<'_>, lazy: &mut Lazy) -> bool {
        match self {
            Node::All(list) => list.iter().all(|node| node.holds(reading, subject, lazy)),
            Node::Any(list) => list.iter().any(|node| node.holds(reading, subject, lazy)),
            Node::Leaf(leaf) => leaf.holds(reading, subject, lazy),
        }
    }

    /// Whether the formula could hold on this reading, whatever comes of the body.
    pub fn possible(&self, reading: usize, subject: &Subject<'_>, lazy: &mut Lazy) -> bool {
        match self {
            Node::All(list) => list.iter().all(|node| node.possible(reading, subject, lazy)),
            Node::Any(list) => list.iter().any(|node| node.possible(reading, subject, lazy)),
            Node::Leaf(leaf) => leaf.unknown(subject) || leaf.holds(reading, subject, lazy),
        }
    }

    /// Where a formula that holds was seen to hold: its first text, else its first leaf.
    pub fn spot(&self, reading: usize, subject: &Subject<'_>, lazy: &mut Lazy) -> Spot {
        let mut first: Option<Spot> = None;
        for leaf in self.leaves() {
            if !leaf.holds(reading, subject, lazy) {
                continue;
            }
            let (spot, text) = leaf.spot(reading, subject, lazy);
            if text {
                return spot;
            }
            first.get_or_insert(spot);
        }
        first.unwrap_or_default()
    }
}

impl Leaf {
    fn compile(leaf: &LeafSpec, negated: bool) -> Result<Leaf, String> {
        let test = match &leaf.test {
            TestSpec::Text(how, texts) => Test::Text(Text::compile(*how, texts, leaf.field.folds())?),
            TestSpec::Number(measure, bound) => Test::Number(*measure, *bound),
            TestSpec::Same(parts) => {
                Test::Same(parts.iter().map(Part::compile).collect::<Result<Vec<Part>, String>>()?)
            }
        };
        let name = leaf.name.as_ref().map(|name| name.to_ascii_lowercase().into_bytes());
        Ok(Leaf { field: leaf.field, name, negated, test })
    }

    /// It looks at the bytes of the body.
    pub fn needs_body(&self) -> bool {
        self.field.of_body() && !self.measures_body()
    }

    /// It looks at the length of the body, which a chunked one has only at its end.
    pub fn measures_body(&self) -> bool {
        self.field == Field::Body && matches!(self.test, Test::Number(Measure::Length | Measure::Count, _))
    }

    /// What it asks of the body has not come. A body of another type holds no form, whatever comes.
    pub fn unknown(&self, subject: &Subject<'_>) -> bool {
        match self.field {
            Field::Form => subject.body.is_none() && subject.posts_form(),
            Field::Body if self.measures_body() => subject.body_length.is_none(),
            Field::Body => subject.body.is_none(),
            _ => false,
        }
    }

    fn holds(&self, reading: usize, subject: &Subject<'_>, lazy: &mut Lazy) -> bool {
        if self.unknown(subject) {
            return false;
        }
        let name = self.name.as_deref();
        let holds = match &self.test {
            Test::Text(text) => {
                values(self.field, name, reading, subject, lazy, |value, _| text.find(value).is_some())
            }
            Test::Number(what, Bound::Over(limit)) if most(*what, self.field, subject) <= *limit => false,
            Test::Number(what, bound) => {
                bound.holds(measure(*what, self.field, name, reading, subject, lazy))
            }
            Test::Same(parts) => {
                let params = lazy.pairs(self.field, subject);
                params.list().iter().any(|param| parts.iter().all(|part| part.holds(params, param)))
            }
        };
        holds != self.negated
    }

    /// Where it holds, and whether that is a text that was found.
    fn spot(&self, reading: usize, subject: &Subject<'_>, lazy: &mut Lazy) -> (Spot, bool) {
        let mut spot = Spot { field: self.field.name(), ..Spot::default() };
        if self.negated {
            return (spot, false);
        }
        match &self.test {
            Test::Text(text) => {
                values(self.field, self.name.as_deref(), reading, subject, lazy, |value, at| {
                    let Some((start, end)) = text.find(value) else { return false };
                    spot.offset = at + start;
                    spot.text = value[start..end].to_vec();
                    true
                });
                (spot, true)
            }
            Test::Number(..) => (spot, false),
            Test::Same(parts) => {
                let params = lazy.pairs(self.field, subject);
                let fits = |param: &&Param| parts.iter().all(|part| part.holds(params, param));
                if let Some(param) = params.list().iter().find(fits) {
                    spot.offset = param.name_at;
                    spot.text =
                        parts.iter().rev().find_map(|part| part.text(params, param)).unwrap_or_default();
                }
                (spot, true)
            }
        }
    }
}

impl Part {
    fn compile(part: &PartSpec) -> Result<Part, String> {
        let test = match &part.test {
            TestSpec::Text(how, texts) => PartTest::Text(Text::compile(*how, texts, true)?),
            TestSpec::Number(Measure::Length, bound) => PartTest::Length(*bound),
            TestSpec::Number(Measure::Run, bound) => PartTest::Run(*bound),
            _ => return Err("one parameter has a length and a run only".to_string()),
        };
        Ok(Part { on: part.on, test })
    }

    fn holds(&self, params: &Params, param: &Param) -> bool {
        let mut texts = params.side(param, self.on);
        match &self.test {
            PartTest::Text(text) => texts.any(|value| text.find(value).is_some()),
            PartTest::Length(bound) => bound.holds(texts.map(<[u8]>::len).max().unwrap_or(0) as u64),
            PartTest::Run(bound) => bound.holds(texts.map(longest_run).max().unwrap_or(0) as u64),
        }
    }

    /// The text that fits in the value.
    fn text(&self, params: &Params, param: &Param) -> Option<Vec<u8>> {
        match (&self.test, self.on) {
            (PartTest::Text(text), Side::Value) => params
                .side(param, Side::Value)
                .find_map(|value| text.find(value).map(|(start, end)| value[start..end].to_vec())),
            _ => None,
        }
    }
}
