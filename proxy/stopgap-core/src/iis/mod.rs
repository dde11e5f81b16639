//! How IIS reads a request target: every reading that the server behind might make of it.
//!
//! bytes -> `expand` (percent, charset, best fit, again) -> units -> `shape` (path, names, anomalies) -> readings
mod charset;
pub mod codepage;
mod expand;
pub mod query;
pub mod readings;
pub mod room;
mod segment;
mod shape;
mod shelf;
pub mod table;
mod trace;
mod unescape;
mod unit;

#[cfg(test)]
mod tests;
