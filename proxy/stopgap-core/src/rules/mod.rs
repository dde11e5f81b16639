//! Rules: from their specification to a compiled matcher.
//!
//! `spec` reads and checks JSON; `node` and `values` define what a rule means; `trigger` and
//! `prefilter` find the few rules that a request could match; `exceptions` say when a match does not
//! count; `site` joins them.

mod exceptions;
mod expr;
mod field;
mod glob;
mod literal;
mod literals;
mod lookup;
mod measure;
mod network;
mod node;
mod prefilter;
mod site;
pub mod spec;
#[cfg(test)]
mod tests;
mod text;
mod trigger;
mod usual;
mod values;
mod without;

pub use network::neighbours;
pub use site::{Finding, Match, Scratch, SiteRules};
pub use values::Subject;
