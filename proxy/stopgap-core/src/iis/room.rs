//! How much work may one judgement still spend on readings?
//!
//! A reading costs by its length and a text by itself, so both are counted, in units of some 10 ns: what
//! is sent never decides how long a judgement takes.

/// For one text: to look at it, to decode it in one way, and to find all its readings.
pub const LOOK: usize = 3;
pub const DECODE: usize = 5;
pub const EXPAND: usize = 50;
/// Bytes of a reading that are written, or searched, for the price of a unit.
pub const WRITTEN: usize = 4;
pub const SEARCHED: usize = 8;

/// What all queries, parameters and bodies of one judgement may take together: some 3 ms. The longest
/// form of Japanese takes most of it where rules read it as a body and as fields.
const WHOLE: usize = 256_000;

/// What is left of it.
#[derive(Debug)]
pub struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Room(WHOLE)
    }
}

impl Room {
    /// Take so much; false when there is not enough, and then nothing is left.
    pub fn take(&mut self, units: usize) -> bool {
        let left = self.0.checked_sub(units);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }

    pub fn left(&self) -> usize {
        self.0
    }
}
