//! HTTP/1: strict reading of request heads, exact framing of bodies, rewriting of heads, answers.
pub mod head;
