//! The bytes of requests that were refused or detected, and of a share of those that passed, until they
//! are fetched.
//!
//! Only what makes an event of its own is kept, so repeats of a client cost nothing here; and of those only
//! as many as the worker's pace allows, in bytes: a storm of different clients fills the budget, and then
//! costs a comparison each. How many were not kept for that is counted.

/// Bytes that may be kept at once, and bytes a second that come back.
const BURST: u64 = 1 << 20;
const PACE: u64 = 128 << 10;
/// What a capture takes of the budget beside its bytes.
const OVERHEAD: u64 = 2 << 10;
/// Bytes of the longest head that is kept, and of one that cannot be told from what follows it.
pub const HEAD: usize = 128 << 10;

/// What a site keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// Bytes of a body.
    pub body: usize,
    /// How many of 2^32 requests that pass; 0: none.
    pub passes: u64,
}

/// In which form the bytes of a body are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Sent,
    /// It came in chunks, and only what they held was there.
    Decoded,
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Form::Sent => "sent",
            Form::Decoded => "decoded",
        }
    }
}

/// One request, as far as the session held it.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The id of its event, or one of its own if it passed.
    pub event: u64,
    /// Milliseconds.
    pub at: u64,
    pub passed: bool,
    pub site: String,
    pub client: String,
    pub tls: bool,
    pub raw: Vec<u8>,
    /// Where the head ends; 0: that cannot be told.
    pub head: usize,
    pub form: Form,
    /// Bytes were there that are not kept.
    pub cut: bool,
}

/// (event, age in ms, site, client, TLS, bytes, where the head ends, form, cut, passed)
pub type Row = (u64, u64, String, String, bool, Vec<u8>, usize, &'static str, bool, bool);

impl Capture {
    fn row(self, now: u64) -> Row {
        let age = now.saturating_sub(self.at);
        let Capture { event, site, client, tls, raw, head, form, cut, passed, .. } = self;
        (event, age, site, client, tls, raw, head, form.name(), cut, passed)
    }
}

/// All captures of a worker that are not fetched yet.
#[derive(Debug)]
pub struct Shelf {
    pub waiting: Vec<Capture>,
    budget: u64,
    refilled: u64,
    missing: u64,
    dice: u64,
}

impl Shelf {
    pub fn new(seed: u64) -> Self {
        Shelf { waiting: Vec::new(), budget: BURST, refilled: 0, missing: 0, dice: seed }
    }

    /// Whether there is room for so many bytes at `now` (milliseconds). What passed has the upper half only.
    pub fn admits(&mut self, now: u64, size: usize, passed: bool) -> bool {
        let back = now.saturating_sub(self.refilled).saturating_mul(PACE) / 1000;
        if back > 0 {
            self.budget = self.budget.saturating_add(back).min(BURST);
            self.refilled = now;
        }
        let (cost, floor) = (size as u64 + OVERHEAD, if passed { BURST / 2 } else { 0 });
        let room = self.budget >= cost + floor;
        if room {
            self.budget -= cost
        } else {
            self.missing += 1
        }
        room
    }

    /// The body of all captures from `first` on, which hold a head only: as much of `body` as fits into `most`;
    /// `more` of it came.
    pub fn complete(&mut self, first: usize, body: &[u8], more: bool, most: usize, form: Form) {
        for capture in self.waiting.iter_mut().skip(first) {
            let size = body.len().min(most);
            capture.raw.extend_from_slice(body.get(..size).unwrap_or(&[]));
            capture.form = form;
            capture.cut |= more || size < body.len();
            self.budget = self.budget.saturating_sub(size as u64);
        }
    }

    /// Whether chance takes one that has so many chances in 2^32.
    pub fn draws(&mut self, chances: u64) -> bool {
        // splitmix64, as for the ids.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 32) < chances
    }

    /// Take what was kept, and how many were not since the last call.
    pub fn take(&mut self, now: u64) -> (Vec<Row>, u64) {
        let kept = std::mem::take(&mut self.waiting);
        (kept.into_iter().map(|one| one.row(now)).collect(), std::mem::take(&mut self.missing))
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, OVERHEAD, PACE, Shelf};

    const SIZE: usize = 2 << 10;
    const COST: u64 = SIZE as u64 + OVERHEAD;

    #[test]
    fn a_storm_gets_the_burst_and_then_the_pace() {
        let mut shelf = Shelf::new(1);
        let kept = (0..100_000).filter(|_| shelf.admits(0, SIZE, false)).count() as u64;
        assert_eq!(kept, BURST / COST);
        let kept = (0..100_000u64).filter(|at| shelf.admits(at / 10, SIZE, false)).count() as u64;
        assert!((10 * PACE / COST - 1..=10 * PACE / COST).contains(&kept), "{kept}");
        assert_eq!(shelf.take(0).1, 200_000 - BURST / COST - kept);
        assert_eq!(shelf.take(0).1, 0);
    }

    #[test]
    fn what_passed_leaves_room_for_what_was_refused() {
        let mut shelf = Shelf::new(1);
        let passed = (0..10_000).filter(|_| shelf.admits(0, SIZE, true)).count() as u64;
        assert_eq!(passed, BURST / 2 / COST);
        assert!(shelf.admits(0, SIZE, false));
    }

    #[test]
    fn chance_takes_the_share_that_was_asked_for() {
        let mut shelf = Shelf::new(7);
        let taken = (0..100_000).filter(|_| shelf.draws((1 << 32) / 100)).count();
        assert!((850..1150).contains(&taken), "{taken}");
        assert!((0..1000).all(|_| shelf.draws(1 << 32)));
    }
}
