//! Tests of the readings; one file a question.

mod ambiguity;
mod benign;
mod bounds;
mod mixed;
mod pages;
mod queries;
mod spellings;

use crate::iis::readings::Readings;
use crate::iis::table::{CodePage, ServerTable};
use crate::verdict::Reason;

/// The pages of a site that names none: the strictest union.
pub const DEFAULT_PAGES: &[CodePage] = &[CodePage(1252), CodePage(932)];
pub const JAPANESE: &[CodePage] = &[CodePage(932)];
pub const WESTERN: &[CodePage] = &[CodePage(1252)];

pub fn server(name: &str) -> &'static ServerTable {
    ServerTable::named(name).unwrap()
}

pub fn read(path: &[u8], name: &str, pages: &[CodePage]) -> Readings {
    let mut readings = Readings::default();
    readings.read(path, server(name), pages);
    readings
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn paths(readings: &Readings) -> Vec<String> {
    (0..readings.len()).map(|index| text(readings.view(index).path)).collect()
}

pub fn resolved(readings: &Readings) -> Vec<String> {
    (0..readings.len()).map(|index| text(readings.view(index).resolved)).collect()
}

/// Every name of every reading.
pub fn names(readings: &Readings) -> Vec<String> {
    let views = (0..readings.len()).map(|index| readings.view(index));
    let name = |view: crate::iis::readings::View, at: usize| {
        let name = view.names[at];
        text(&view.path[name.start as usize..name.end as usize])
    };
    views.flat_map(|view| (0..view.names.len()).map(move |at| name(view, at))).collect()
}

/// Every extension of every name of every reading.
pub fn extensions(readings: &Readings) -> Vec<String> {
    names(readings).iter().filter_map(|name| Some(name.rsplit_once('.')?.1.to_owned())).collect()
}

/// The kinds of anomalies, each once, the gravest first.
pub fn reasons(readings: &Readings) -> Vec<&'static str> {
    let mut kinds: Vec<Reason> = readings.anomalies().iter().map(|anomaly| anomaly.reason).collect();
    kinds.dedup();
    kinds.iter().map(|reason| reason.name()).collect()
}
