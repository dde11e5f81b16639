//! How much of a field there is: length, count, run and repeat.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::rules::expr::{Measure, Side};
use crate::rules::field::Field;
use crate::rules::values::{Lazy, Subject, values};

/// Measure a field of one reading.
pub fn measure<'a>(
    what: Measure,
    field: Field,
    name: Option<&'a [u8]>,
    reading: usize,
    subject: &Subject<'a>,
    lazy: &mut Lazy,
) -> u64 {
    if field == Field::Depth {
        return u64::from(subject.readings.view(reading).depth);
    }
    let mut most = 0;
    match what {
        Measure::Count => return count(field, name, reading, subject, lazy),
        Measure::Repeat if name.is_some() => return count(field, name, reading, subject, lazy),
        Measure::Repeat => return repeat(field, subject, lazy),
        Measure::Length if field == Field::Body => return body_length(subject),
        Measure::Length => values(field, name, reading, subject, lazy, |value, _| {
            most = most.max(value.len());
            false
        }),
        Measure::Run => values(field, name, reading, subject, lazy, |value, _| {
            most = most.max(longest_run(value));
            false
        }),
    };
    most as u64
}

/// What a measure can at most be: there are no more parameters than raw separators and one.
pub fn most(what: Measure, field: Field, subject: &Subject<'_>) -> u64 {
    let text = match (what, field) {
        (Measure::Count | Measure::Repeat, Field::Param) => subject.query(),
        (Measure::Count | Measure::Repeat, Field::Form) => subject.form(),
        _ => return u64::MAX,
    };
    memchr::memchr_iter(b'&', text).count() as u64 + 1
}

/// Declared or received, whichever is more.
pub fn body_length(subject: &Subject<'_>) -> u64 {
    subject.body_length.unwrap_or(0).max(subject.body.map_or(0, <[u8]>::len) as u64)
}

fn count<'a>(
    field: Field,
    name: Option<&'a [u8]>,
    reading: usize,
    subject: &Subject<'a>,
    lazy: &mut Lazy,
) -> u64 {
    let view = subject.readings.view(reading);
    let number = match field {
        Field::Segment => view.depth as usize,
        Field::Extension => view.names.iter().filter(|name| name.whole && name.dot < name.end).count(),
        Field::Basename => {
            view.names.iter().filter(|name| name.whole && (name.dot < name.end || name.last)).count()
        }
        Field::Query | Field::QueryRaw => usize::from(subject.head.query.is_some()),
        Field::Body => usize::from(body_length(subject) > 0),
        Field::Param | Field::Form => lazy.pairs(field, subject).named(name).count(),
        Field::Header | Field::Headers | Field::Cookie => {
            let mut seen = 0;
            values(field, name, reading, subject, lazy, |_, _| {
                seen += 1;
                false
            });
            seen
        }
        Field::Host => usize::from(!subject.head.host.is_empty()),
        _ => 1,
    };
    number as u64
}

/// The most parameters of one name, where two names are one if any of their readings agree.
fn repeat(field: Field, subject: &Subject<'_>, lazy: &mut Lazy) -> u64 {
    let mut hashes = std::mem::take(&mut lazy.hashes);
    hashes.clear();
    let params = lazy.pairs(field, subject);
    for param in params.list() {
        let own = hashes.len();
        for name in params.side(param, Side::Name) {
            let mut hasher = FxHasher::default();
            hasher.write(name);
            let hash = hasher.finish();
            if !hashes[own..].contains(&hash) {
                hashes.push(hash);
            }
        }
    }
    hashes.sort_unstable();
    let most = hashes.chunk_by(|a, b| a == b).map(<[u64]>::len).max().unwrap_or(0);
    lazy.hashes = hashes;
    most as u64
}

/// Length of the longest run of one byte.
pub fn longest_run(text: &[u8]) -> usize {
    text.chunk_by(|a, b| a == b).map(<[u8]>::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::longest_run;

    #[test]
    fn a_run_is_of_one_byte() {
        assert_eq!(longest_run(b""), 0);
        assert_eq!(longest_run(b"abc"), 1);
        assert_eq!(longest_run(b"abbbca"), 3);
    }
}
