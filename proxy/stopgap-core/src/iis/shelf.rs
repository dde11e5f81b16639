//! The readings of paths seen lately, so that a site's own escaped names are derived once.
//!
//! A site has few paths and its users ask for them again and again: a Japanese name costs a comparison
//! and a copy then, not a derivation. Only readings without an anomaly are kept (an attack gains
//! nothing by repeating itself and drives nothing out by it), in a fixed number of slots of bounded
//! size: at most 1.2 MB in all. The key is everything that the readings follow from, compared whole.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::iis::readings::Name;
use crate::iis::shape::Shape;
use crate::iis::table::{CodePage, ServerTable};
use crate::iis::trace::Trace;

const SLOTS: usize = 128;
/// What fits into a slot: bytes of a path, bytes of its readings, names in them.
const PATH: usize = 256;
const BYTES: usize = 4096;
const NAMES: usize = 256;

/// The readings of one path, as `Readings` holds them.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub bytes: Vec<u8>,
    pub names: Vec<Name>,
    pub readings: Vec<(Shape, Trace)>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    path: Vec<u8>,
    table: &'static str,
    pages: Vec<CodePage>,
    result: Kept,
}

#[derive(Debug, Default)]
pub struct Shelf {
    slots: Vec<Slot>,
}

impl Shelf {
    /// What was derived from this very path, for this server and these pages.
    pub fn find(&self, path: &[u8], table: &ServerTable, pages: &[CodePage]) -> Option<&Kept> {
        let slot = self.slots.get(place(path))?;
        (slot.path == path && slot.table == table.name && slot.pages == pages).then_some(&slot.result)
    }

    /// Keep a result in place of what its slot held, if it is small enough.
    pub fn keep(
        &mut self,
        path: &[u8],
        table: &ServerTable,
        pages: &[CodePage],
        (bytes, names, readings): (&[u8], &[Name], &[(Shape, Trace)]),
    ) {
        if path.len() > PATH || bytes.len() > BYTES || names.len() > NAMES {
            return;
        }
        self.slots.resize_with(SLOTS, Slot::default);
        if let Some(slot) = self.slots.get_mut(place(path)) {
            let result = Kept { bytes: bytes.to_vec(), names: names.to_vec(), readings: readings.to_vec() };
            *slot = Slot { path: path.to_vec(), table: table.name, pages: pages.to_vec(), result };
        }
    }
}

fn place(path: &[u8]) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(path);
    hasher.finish() as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use crate::iis::readings::Readings;
    use crate::iis::table::{CodePage, ServerTable};

    /// Paths, servers and pages in turn: what comes from the shelf is what would have been derived.
    #[test]
    fn a_kept_result_is_the_derived_one() {
        let paths =
            ["/%E4%BC%9A%E8%A8%88/a.asp", "/%95%5C/b%20c.htm", "/a%20b", "/x.%2569da", "/%E8%A1%A8.asp"];
        let mut warm = Readings::default();
        for round in 0..3 {
            for path in paths {
                for (server, pages) in
                    [("iis5", &[932][..]), ("any", &[1252, 932]), ("iis7", &[1252]), ("iis5", &[1252])]
                {
                    let table = ServerTable::named(server).unwrap();
                    let pages: Vec<CodePage> = pages.iter().map(|page| CodePage(*page)).collect();
                    let mut fresh = Readings::default();
                    fresh.read(path.as_bytes(), table, &pages);
                    warm.read(path.as_bytes(), table, &pages);
                    assert_eq!(warm.len(), fresh.len(), "{path} {server} {round}");
                    assert_eq!(warm.anomalies(), fresh.anomalies());
                    for index in 0..fresh.len() {
                        let (one, other) = (warm.view(index), fresh.view(index));
                        assert_eq!(
                            (one.path, one.resolved, one.opened, one.names),
                            (other.path, other.resolved, other.opened, other.names)
                        );
                        assert_eq!((one.depth, warm.steps(index)), (other.depth, fresh.steps(index)));
                    }
                }
            }
        }
    }
}
