//! How IIS reads a request target: every reading that the server behind might make of it.
pub mod readings;
pub mod table;
