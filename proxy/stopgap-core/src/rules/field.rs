//! Which parts of a request a rule may look at, and which tests each part allows: one table.

use crate::verdict::Reason;

/// A part of a request, by the name it has in rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Method,
    Version,
    Host,
    Path,
    PathRaw,
    Target,
    Extension,
    Segment,
    Basename,
    Depth,
    Query,
    QueryRaw,
    Param,
    Header,
    Headers,
    Cookie,
    Form,
    Body,
    Reason,
}

/// Whether a leaf of the field carries a `name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    No,
    May,
    Must,
}

/// What may be asked of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tests {
    /// equals prefix suffix contains regex, length count run
    Text,
    /// the same and `repeat`
    Param,
    /// length and count, which are the same number
    Number,
    /// equals alone
    Reason,
}

struct Row(Field, &'static str, Naming, Tests, Reason);

const TABLE: [Row; 19] = [
    Row(Field::Method, "method", Naming::No, Tests::Text, Reason::MethodDenied),
    Row(Field::Version, "version", Naming::No, Tests::Text, Reason::HeaderDenied),
    Row(Field::Host, "host", Naming::No, Tests::Text, Reason::HeaderDenied),
    Row(Field::Path, "path", Naming::No, Tests::Text, Reason::UrlDenied),
    Row(Field::PathRaw, "path.raw", Naming::No, Tests::Text, Reason::UrlDenied),
    Row(Field::Target, "target", Naming::No, Tests::Text, Reason::UrlDenied),
    Row(Field::Extension, "extension", Naming::No, Tests::Text, Reason::ExtensionDenied),
    Row(Field::Segment, "segment", Naming::No, Tests::Text, Reason::SegmentDenied),
    Row(Field::Basename, "basename", Naming::No, Tests::Text, Reason::SegmentDenied),
    Row(Field::Depth, "depth", Naming::No, Tests::Number, Reason::UrlDenied),
    Row(Field::Query, "query", Naming::No, Tests::Text, Reason::QueryDenied),
    Row(Field::QueryRaw, "query.raw", Naming::No, Tests::Text, Reason::QueryDenied),
    Row(Field::Param, "param", Naming::May, Tests::Param, Reason::QueryDenied),
    Row(Field::Header, "header", Naming::Must, Tests::Text, Reason::HeaderDenied),
    Row(Field::Headers, "headers", Naming::No, Tests::Text, Reason::HeaderDenied),
    Row(Field::Cookie, "cookie", Naming::May, Tests::Text, Reason::HeaderDenied),
    Row(Field::Form, "form", Naming::May, Tests::Param, Reason::BodyDenied),
    Row(Field::Body, "body", Naming::No, Tests::Text, Reason::BodyDenied),
    Row(Field::Reason, "reason", Naming::No, Tests::Reason, Reason::RuleDenied),
];

impl Field {
    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    pub fn by_name(name: &str) -> Option<Field> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    pub fn name(self) -> &'static str {
        self.row().1
    }

    pub fn naming(self) -> Naming {
        self.row().2
    }

    /// The reason of a refusal by a rule that leads with this field.
    pub fn reason(self) -> Reason {
        self.row().4
    }

    pub fn allows(self, test: &str) -> bool {
        match self.row().3 {
            Tests::Text => is_text(test) || matches!(test, "length" | "count" | "run"),
            Tests::Param => is_text(test) || matches!(test, "length" | "count" | "run" | "repeat"),
            Tests::Number => matches!(test, "length" | "count"),
            Tests::Reason => test == "equals",
        }
    }

    /// Its values differ from one reading of the path to the next.
    pub fn per_reading(self) -> bool {
        matches!(self, Field::Path | Field::Extension | Field::Segment | Field::Basename | Field::Depth)
    }

    /// It looks at the body, which comes when the head has been judged.
    pub fn of_body(self) -> bool {
        matches!(self, Field::Form | Field::Body)
    }

    /// It has names and values that belong together.
    pub fn paired(self) -> bool {
        matches!(self, Field::Param | Field::Form)
    }

    /// Text is compared without regard to ASCII case, except for methods (RFC 9110 section 9.1).
    pub fn folds(self) -> bool {
        self != Field::Method
    }
}

/// The five tests of text.
pub fn is_text(test: &str) -> bool {
    matches!(test, "equals" | "prefix" | "suffix" | "contains" | "regex")
}

#[cfg(test)]
mod tests {
    use super::{Field, TABLE};

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for row in &TABLE {
            assert_eq!(row.0.name(), row.1);
            assert_eq!(Field::by_name(row.1), Some(row.0));
        }
    }
}
