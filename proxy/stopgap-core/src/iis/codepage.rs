//! What does a Windows code page make of a byte or a byte pair, and which characters does it squeeze into ASCII?
//!
//! The data is generated from NLS tables (`tables/generate.py`). Only what can change a path is kept:
//! folds to ASCII (U5), lead and trail bytes (U7) and the characters of bytes and pairs above ASCII.

use std::sync::LazyLock;

use crate::iis::table::CodePage;

/// One row of the generated table.
struct PageData {
    number: u16,
    leads: &'static [(u8, u8)],
    trails: &'static [(u8, u8)],
    units: &'static [u8],
    folds: &'static [(u16, u8)],
}

include!("../../tables/codepages.rs");

/// Bytes 80 to FF alone come first in `units`, then a row for each lead byte.
const SINGLES: usize = 0x80;
/// A row holds the trail bytes 40 to FF.
const ROW: usize = 0xC0;
const NO_ROW: u8 = 0xFF;

/// A code page, ready for look-ups.
pub struct Page {
    pub number: u16,
    /// Row in `units` of each lead byte, or NO_ROW.
    rows: [u8; 256],
    trails: [bool; 256],
    double: bool,
    units: &'static [u8],
    /// Which block of `folds` a character's high byte has; 0 is the block of no folds.
    blocks: [u8; 256],
    folds: Vec<[u8; 256]>,
}

static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| PAGE_DATA.iter().map(Page::new).collect());

/// The numbers of the pages that a site may name.
pub fn numbers() -> impl Iterator<Item = u16> {
    PAGE_DATA.iter().map(|data| data.number)
}

/// The page of this number, if it is one of `numbers`.
pub fn page(number: CodePage) -> Option<&'static Page> {
    PAGES.binary_search_by_key(&number.0, |page| page.number).ok().map(|at| &PAGES[at])
}

impl Page {
    fn new(data: &PageData) -> Page {
        let mut page = Page {
            number: data.number,
            rows: [NO_ROW; 256],
            trails: [false; 256],
            double: !data.leads.is_empty(),
            units: data.units,
            blocks: [0; 256],
            folds: vec![[0; 256]],
        };
        let leads = data.leads.iter().flat_map(|&(first, last)| first..=last);
        for (row, lead) in (0..NO_ROW).zip(leads) {
            page.rows[usize::from(lead)] = row;
        }
        for trail in data.trails.iter().flat_map(|&(first, last)| first..=last) {
            page.trails[usize::from(trail)] = true;
        }
        for &(char, ascii) in data.folds {
            let [high, low] = char.to_be_bytes();
            let block = &mut page.blocks[usize::from(high)];
            if *block == 0 {
                *block = page.folds.len() as u8;
                page.folds.push([0; 256]);
            }
            page.folds[usize::from(*block)][usize::from(low)] = ascii;
        }
        page
    }

    pub fn is_double(&self) -> bool {
        self.double
    }

    pub fn is_lead(&self, byte: u8) -> bool {
        self.rows[usize::from(byte)] != NO_ROW
    }

    pub fn is_trail(&self, byte: u8) -> bool {
        self.trails[usize::from(byte)]
    }

    /// The character of a byte above 0x7F that stands alone.
    pub fn single(&self, byte: u8) -> u16 {
        self.unit(usize::from(byte).wrapping_sub(0x80))
    }

    /// The character of a lead byte and its trail byte; U+FFFD, or the page's default character, when it
    /// has none.
    pub fn pair(&self, lead: u8, trail: u8) -> u16 {
        let row = usize::from(self.rows[usize::from(lead)]);
        self.unit(SINGLES + row * ROW + usize::from(trail).wrapping_sub(0x40))
    }

    fn unit(&self, index: usize) -> u16 {
        match self.units.get(index.wrapping_mul(2)..).and_then(|rest| rest.first_chunk()) {
            Some(&unit) if u16::from_le_bytes(unit) >= 0x80 => u16::from_le_bytes(unit),
            _ => 0xFFFD,
        }
    }

    /// The ASCII character that best fit makes of a character; `None` for every other character.
    /// A NUL is never made.
    pub fn fold(&self, char: u32) -> Option<u8> {
        let [0, 0, high, low] = char.to_be_bytes() else { return None };
        match self.folds[usize::from(self.blocks[usize::from(high)])][usize::from(low)] {
            0 => None,
            ascii => Some(ascii),
        }
    }
}
