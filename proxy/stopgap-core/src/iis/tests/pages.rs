//! Do the tables say what catalogue 1.3.1 says?

use crate::iis::codepage::{numbers, page};
use crate::iis::table::CodePage;

fn fold(number: u16, char: char) -> Option<char> {
    page(CodePage(number)).unwrap().fold(char.into()).map(char::from)
}

#[test]
fn folds_of_the_catalogue() {
    let rows = [
        (932, '\u{A5}', Some('\\')),
        (932, '\u{FF0E}', None),
        (932, '\u{FF3C}', None),
        (932, '\u{EC}', Some('i')),
        (932, '\u{F0}', Some('d')),
        (932, '\u{AA}', Some('a')),
        (932, '\u{AD}', Some('-')),
        (936, '\u{FF0F}', None),
        (949, '\u{20A9}', Some('\\')),
        (949, '\u{FF0F}', None),
        (950, '\u{FF0F}', None),
        (1252, '\u{A5}', None),
        (1252, '\u{2044}', Some('/')),
        (1252, '\u{2215}', Some('/')),
        (1252, '\u{FF0F}', Some('/')),
        (1252, '\u{FF3C}', Some('\\')),
        (1252, '\u{2216}', Some('\\')),
        (1252, '\u{FF0E}', Some('.')),
        (1252, '\u{FF05}', Some('%')),
        (1252, '\u{066A}', Some('%')),
        (1252, '\u{FF1F}', Some('?')),
        (1252, '\u{0131}', Some('i')),
        (1252, '\u{0130}', Some('I')),
        (1252, '\u{010F}', Some('d')),
        (1252, '\u{03B1}', Some('a')),
        (1253, '\u{B4}', Some('/')),
        (850, '\u{2216}', Some('/')),
        (1252, '表', None),
    ];
    for (number, char, ascii) in rows {
        assert_eq!(fold(number, char), ascii, "{number} U+{:04X}", u32::from(char));
    }
}

#[test]
fn no_page_folds_beyond_the_bmp_or_ascii_itself() {
    for number in numbers() {
        let page = page(CodePage(number)).unwrap();
        assert!((0..0x80).all(|char| page.fold(char).is_none()), "{number}");
        assert!((0x1_0000..0x1_0100).all(|char| page.fold(char).is_none()), "{number}");
    }
}

#[test]
fn the_trail_byte_of_some_japanese_characters_is_a_backslash() {
    let page = page(CodePage(932)).unwrap();
    for (lead, char) in [(0x95, '表'), (0x83, 'ソ'), (0x94, '能'), (0x97, '予')] {
        assert_eq!(u32::from(page.pair(lead, 0x5C)), u32::from(char));
    }
    assert_eq!(char::from_u32(page.single(0xC0).into()), Some('ﾀ'));
}

#[test]
fn lead_and_trail_ranges() {
    let bytes = |test: &dyn Fn(u8) -> bool| (0..=255).filter(|&byte| test(byte)).collect::<Vec<u8>>();
    let both = |first: std::ops::RangeInclusive<u8>, second| first.chain(second).collect::<Vec<u8>>();
    let japanese = page(CodePage(932)).unwrap();
    assert_eq!(bytes(&|byte| japanese.is_lead(byte)), both(0x81..=0x9F, 0xE0..=0xFC));
    assert_eq!(bytes(&|byte| japanese.is_trail(byte)), both(0x40..=0x7E, 0x80..=0xFC));
    for number in [936, 949, 950] {
        let page = page(CodePage(number)).unwrap();
        assert_eq!(bytes(&|byte| page.is_lead(byte)), (0x81..=0xFE).collect::<Vec<u8>>());
    }
    assert!(!page(CodePage(1252)).unwrap().is_double());
}

/// The pairs are those that WHATWG's decoder knows, where both know one.
#[test]
fn pairs_agree_with_an_independent_decoder() {
    let decoders = [(932, encoding_rs::SHIFT_JIS), (936, encoding_rs::GBK), (949, encoding_rs::EUC_KR)];
    for (number, encoding) in decoders {
        let page = page(CodePage(number)).unwrap();
        let (mut same, mut other) = (0, 0);
        for (lead, trail) in (0x81..=0xFE).flat_map(|lead| (0x40..=0xFE).map(move |trail| (lead, trail))) {
            let bytes = [lead, trail];
            let (theirs, bad) = encoding.decode_without_bom_handling(&bytes);
            let mut chars = theirs.chars();
            let (Some(char), None, false) = (chars.next(), chars.next(), bad) else { continue };
            if !page.is_lead(lead) || !page.is_trail(trail) {
                continue;
            }
            *if u32::from(page.pair(lead, trail)) == u32::from(char) { &mut same } else { &mut other } += 1;
        }
        assert!(same > 7000 && other * 100 < same, "{number}: {same} alike, {other} not");
    }
}
