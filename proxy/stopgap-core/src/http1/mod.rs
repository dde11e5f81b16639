//! HTTP/1: strict reading of request heads, exact framing of bodies, rewriting of heads, answers.
pub mod answer;
pub mod chunked;
pub mod forwarded;
pub mod framing;
pub mod head;
pub mod pages;
pub mod rewrite;
pub mod scrub;
pub mod sticky;

#[cfg(test)]
mod tests;
