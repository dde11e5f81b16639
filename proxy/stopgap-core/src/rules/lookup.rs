//! Which rules a name or a number wakes: small tables that say no quickly.

use rustc_hash::FxHashMap;

/// Names that wake rules.
#[derive(Debug, Default)]
pub struct Names {
    shapes: Shapes,
    rules: FxHashMap<Vec<u8>, Vec<u32>>,
}

impl Names {
    pub fn add(&mut self, name: Vec<u8>, rule: u32) {
        self.shapes.add(&name);
        self.rules.entry(name).or_default().push(rule);
    }

    pub fn find(&self, name: &[u8]) -> &[u32] {
        if !self.shapes.may_hold(name) {
            return &[];
        }
        self.rules.get(name).map_or(&[], Vec::as_slice)
    }
}

/// First letter, last letter and length of names, as a bitmap of 4 KiB: most names are told apart
/// without a hash. ASCII case makes no difference.
#[derive(Debug)]
pub struct Shapes(Vec<u32>);

impl Default for Shapes {
    fn default() -> Self {
        Shapes(vec![0; 32 * 32])
    }
}

impl Shapes {
    pub fn add(&mut self, name: &[u8]) {
        let (slot, bit) = Shapes::place(name);
        if let Some(lengths) = self.0.get_mut(slot) {
            *lengths |= bit;
        }
    }

    pub fn may_hold(&self, name: &[u8]) -> bool {
        let (slot, bit) = Shapes::place(name);
        self.0.get(slot).is_some_and(|lengths| lengths & bit != 0)
    }

    fn place(name: &[u8]) -> (usize, u32) {
        let letter = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or(0) & 31);
        (letter(name.first()) << 5 | letter(name.last()), 1 << name.len().min(31))
    }
}

/// Thresholds and the rules that they wake.
#[derive(Debug)]
pub struct Thresholds {
    lowest: u64,
    /// In ascending order.
    list: Vec<(u64, u32)>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { lowest: u64::MAX, list: Vec::new() }
    }
}

impl Thresholds {
    pub fn add(&mut self, limit: u64, rule: u32) {
        self.lowest = self.lowest.min(limit);
        let place = self.list.partition_point(|&held| held < (limit, rule));
        self.list.insert(place, (limit, rule));
    }

    /// The rules whose threshold is below `number`.
    pub fn below(&self, number: u64) -> impl Iterator<Item = u32> {
        let list = if number > self.lowest { self.list.as_slice() } else { &[] };
        list.iter().take_while(move |(limit, _)| number > *limit).map(|&(_, rule)| rule)
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, Thresholds};

    #[test]
    fn names_and_thresholds_wake_their_rules() {
        let mut names = Names::default();
        names.add(b"cmd.exe".to_vec(), 3);
        names.add(b"cmd.exe".to_vec(), 5);
        assert_eq!(names.find(b"cmd.exe"), [3, 5]);
        assert_eq!(names.find(b"cad.exe"), [0u32; 0]);
        assert_eq!(names.find(b""), [0u32; 0]);
        let mut sizes = Thresholds::default();
        [(90, 1), (10, 2), (50, 3)].into_iter().for_each(|(limit, rule)| sizes.add(limit, rule));
        let below = |number| sizes.below(number).collect::<Vec<u32>>();
        assert_eq!((below(10), below(11), below(90)), (vec![], vec![2], vec![2, 3]));
    }
}
