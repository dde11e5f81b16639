//! Which rules a request could match at all: the signs of all rules, looked up together.
//!
//! No false negatives: a rule that is not woken cannot match (a property test holds this). The cost
//! of a usual request hardly depends on the number of rules: names and headers are tried against
//! a bitmap of shapes and then looked up by hash, texts are searched for all literals at once, and
//! numbers are compared with the lowest threshold.

use rustc_hash::FxHashMap;

use crate::iis::query::is_mild;
use crate::rules::field::Field;
use crate::rules::literals::Literals;
use crate::rules::lookup::{Names, Shapes, Thresholds};
use crate::rules::measure::body_length;
use crate::rules::trigger::{Group, Size, Trigger, Triggers};
use crate::rules::values::{Lazy, Subject, url_encoded};

/// The signs of a site's rules. Rules are numbered by their place in the site.
#[derive(Debug)]
pub struct Prefilter {
    always: Vec<u32>,
    extensions: Names,
    names: Names,
    methods: FxHashMap<Vec<u8>, Vec<u32>>,
    headers: Headers,
    literals: [Literals; Group::COUNT],
    /// Those of queries and of parameters, for a query in which both read the same.
    plain_query: Literals,
    sizes: [Thresholds; Size::COUNT],
}

/// Rules to try, each once.
#[derive(Debug, Default)]
pub struct Candidates {
    pub list: Vec<u32>,
    seen: Vec<u32>,
    round: u32,
}

impl Candidates {
    fn start(&mut self, rules: usize) {
        self.list.clear();
        if self.seen.len() < rules {
            self.seen.resize(rules, 0);
        }
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.seen.fill(0);
            self.round = 1;
        }
    }

    fn wake(&mut self, rule: u32) {
        if let Some(seen) = self.seen.get_mut(rule as usize) {
            if *seen != self.round {
                *seen = self.round;
                self.list.push(rule);
            }
        }
    }

    fn wake_all(&mut self, rules: &[u32]) {
        rules.iter().for_each(|&rule| self.wake(rule));
    }
}

/// Headers that wake rules, by name.
#[derive(Debug, Default)]
struct Headers {
    shapes: Shapes,
    rules: FxHashMap<Vec<u8>, HeaderSigns>,
}

#[derive(Debug, Default)]
struct HeaderSigns {
    present: Vec<u32>,
    over: Thresholds,
    /// Signs that a value begins or ends with.
    edges: Vec<(u8, u32)>,
    /// Signs that stand side by side in a value.
    pairs: Vec<([u8; 2], u32)>,
    /// There is no value.
    empty: Vec<u32>,
    /// Values are searched for literals.
    search: bool,
}

impl Headers {
    fn at(&mut self, name: Vec<u8>) -> &mut HeaderSigns {
        self.shapes.add(&name);
        self.rules.entry(name).or_default()
    }

    fn find(&self, name: &[u8]) -> Option<&HeaderSigns> {
        if !self.shapes.may_hold(name) {
            return None;
        }
        let mut lower = [0; 64];
        match lower.get_mut(..name.len()) {
            Some(lower) => {
                lower.copy_from_slice(name);
                lower.make_ascii_lowercase();
                self.rules.get(&*lower)
            }
            None => self.rules.get(name.to_ascii_lowercase().as_slice()),
        }
    }
}

impl Prefilter {
    /// Build from the signs of each rule; `None` is tried on every request.
    pub fn build(rules: &[Option<Triggers>]) -> Result<Prefilter, String> {
        let mut prefilter = Prefilter {
            always: Vec::new(),
            extensions: Names::default(),
            names: Names::default(),
            methods: FxHashMap::default(),
            headers: Headers::default(),
            literals: Default::default(),
            plain_query: Literals::default(),
            sizes: Default::default(),
        };
        let mut literals: [FxHashMap<Vec<u8>, Vec<u32>>; Group::COUNT] = Default::default();
        for (rule, found) in (0u32..).zip(rules) {
            let Some(found) = found else {
                prefilter.always.push(rule);
                continue;
            };
            for trigger in &found.list {
                if let Some((group, text)) = prefilter.add(trigger.clone(), rule) {
                    literals[group as usize].entry(text).or_default().push(rule);
                }
            }
        }
        let mut both = literals[Group::Query as usize].clone();
        for (text, rules) in &literals[Group::Param as usize] {
            both.entry(text.clone()).or_default().extend(rules);
        }
        prefilter.plain_query = built(both)?;
        for (place, texts) in prefilter.literals.iter_mut().zip(literals) {
            *place = built(texts)?;
        }
        Ok(prefilter)
    }

    /// Note a sign; a literal is handed back to be built with the others.
    fn add(&mut self, trigger: Trigger, rule: u32) -> Option<(Group, Vec<u8>)> {
        match trigger {
            Trigger::Extension(name) => self.extensions.add(name, rule),
            Trigger::Name(name) => self.names.add(name, rule),
            Trigger::Method(name) => self.methods.entry(name).or_default().push(rule),
            Trigger::Header(name) => self.headers.at(name).present.push(rule),
            Trigger::HeaderOver(name, limit) => self.headers.at(name).over.add(limit, rule),
            Trigger::HeaderEdge(name, sign) => self.headers.at(name).edges.push((sign, rule)),
            Trigger::HeaderPair(name, pair) => self.headers.at(name).pairs.push((pair, rule)),
            Trigger::HeaderEmpty(name) => self.headers.at(name).empty.push(rule),
            Trigger::Over(size, limit) => self.sizes[size as usize].add(limit, rule),
            Trigger::HeaderHolds(name, text) => {
                self.headers.at(name).search = true;
                return Some((Group::Header, text));
            }
            Trigger::Literal(group, text) => return Some((group, text)),
        }
        None
    }

    /// Collect the rules that the request wakes, in ascending order.
    pub fn candidates(&self, rules: usize, subject: &Subject<'_>, lazy: &mut Lazy, found: &mut Candidates) {
        self.plain(rules, subject, found);
        self.decoded(subject, lazy, found);
        found.list.sort_unstable();
    }

    /// The rules that path, method and headers wake, in ascending order: signs that need no decoding.
    pub fn plain(&self, rules: usize, subject: &Subject<'_>, found: &mut Candidates) {
        found.start(rules);
        found.wake_all(&self.always);
        self.by_path(subject, found);
        self.by_head(subject, found);
        found.list.sort_unstable();
    }

    /// Add those that query and body wake besides, in ascending order among themselves.
    pub fn decoded(&self, subject: &Subject<'_>, lazy: &mut Lazy, found: &mut Candidates) {
        let plain = found.list.len();
        self.by_query(subject, lazy, found);
        self.by_body(subject, lazy, found);
        found.list[plain..].sort_unstable();
    }

    fn by_path(&self, subject: &Subject<'_>, found: &mut Candidates) {
        for reading in 0..subject.readings.len() {
            let view = subject.readings.view(reading);
            let (mut segment, mut extension) = (0, 0);
            for name in view.names {
                let (start, dot, end) = (name.start as usize, name.dot as usize, name.end as usize);
                segment = segment.max(end - start);
                extension = extension.max(end - dot);
                found.wake_all(self.names.find(view.path.get(start..end).unwrap_or(&[])));
                if dot < end {
                    found.wake_all(self.extensions.find(view.path.get(dot + 1..end).unwrap_or(&[])));
                }
            }
            self.over(Size::Path, view.path.len().max(view.resolved.len()), found);
            self.over(Size::Segment, segment, found);
            self.over(Size::Extension, extension, found);
            self.over(Size::Depth, view.depth as usize, found);
            self.search(Group::Path, view.path, found);
            if view.resolved != view.path {
                self.search(Group::Path, view.resolved, found);
            }
            if view.opened != view.resolved {
                self.search(Group::Path, view.opened, found);
            }
        }
    }

    fn by_query(&self, subject: &Subject<'_>, lazy: &mut Lazy, found: &mut Candidates) {
        if subject.head.query.is_none() {
            return;
        }
        let query = subject.query();
        self.over(Size::QueryRaw, query.len(), found);
        self.over(Size::Query, longest_reading(query), found);
        let (whole, params) = (self.has(Group::Query), self.has(Group::Param));
        if !whole && !params {
            return;
        }
        if query.is_ascii() && memchr::memchr2(b'%', b'+', query).is_none() {
            // One reading, which differs in ASCII case only; parameters are cuts of it.
            return self.plain_query.scan(query, |rule| found.wake(rule));
        }
        // Decoding a mild query as a whole shows the same text as splitting it into parameters first: no
        // lead byte can swallow a `&`.
        let alike = is_mild(query);
        if whole || alike {
            let readings = lazy.query(subject);
            for reading in (0..readings.len()).map(|i| readings.get(i)) {
                self.search(Group::Query, reading, found);
                if alike {
                    self.search(Group::Param, reading, found);
                }
            }
        }
        if params && !alike {
            lazy.params(subject).texts().for_each(|text| self.search(Group::Param, text, found));
        }
    }

    fn by_head(&self, subject: &Subject<'_>, found: &mut Candidates) {
        let (buf, head) = (subject.buf, subject.head);
        let method = head.method.of(buf);
        if !self.methods.is_empty() {
            found.wake_all(self.methods.get(method).map_or(&[], Vec::as_slice));
        }
        self.over(Size::Method, head.method.len(), found);
        self.over(Size::Target, head.target.len(), found);
        self.over(Size::PathRaw, head.path.len(), found);
        self.over(Size::Host, head.host.len(), found);
        self.over(Size::Headers, head.fields.len(), found);
        self.search(Group::Method, method, found);
        self.search(Group::Version, if head.minor == 0 { b"http/1.0" } else { b"http/1.1" }, found);
        self.search(Group::Target, head.target.of(buf), found);
        self.search(Group::Host, head.host.of(buf), found);
        if self.has(Group::HeaderName) {
            head.fields.iter().for_each(|field| self.search(Group::HeaderName, field.name.of(buf), found));
        }
        if self.headers.rules.is_empty() {
            return;
        }
        for field in &head.fields {
            let name = field.name.of(buf);
            let Some(signs) = self.headers.find(name) else { continue };
            found.wake_all(&signs.present);
            signs.over.below(field.value.len() as u64).for_each(|rule| found.wake(rule));
            let value = field.value.of(buf);
            for (sign, rule) in &signs.edges {
                if value.first() == Some(sign) || value.last() == Some(sign) {
                    found.wake(*rule);
                }
            }
            if value.is_empty() {
                found.wake_all(&signs.empty);
            }
            for (pair, rule) in &signs.pairs {
                if value.windows(2).any(|place| place == pair) {
                    found.wake(*rule);
                }
            }
            if signs.search {
                self.search(Group::Header, value, found);
            }
        }
    }

    fn by_body(&self, subject: &Subject<'_>, lazy: &mut Lazy, found: &mut Candidates) {
        self.over(Size::Body, body_length(subject) as usize, found);
        let Some(body) = subject.body.filter(|body| !body.is_empty()) else { return };
        self.over(Size::BodyText, longest_reading(body), found);
        let (whole, pairs) = (self.has(Group::Body), self.has(Group::Form) && subject.posts_form());
        if !whole && !pairs {
            return;
        }
        self.search(Group::Body, body, found);
        if !url_encoded(subject, body) {
            // One reading, of which parameters are cuts.
            return if pairs {
                self.search(Group::Form, body, found)
            };
        }
        let mut alike = pairs && is_mild(body);
        if whole || alike {
            let readings = lazy.body(subject);
            alike &= !readings.is_incomplete();
            for reading in (0..readings.len()).map(|i| readings.get(i)) {
                self.search(Group::Body, reading, found);
                if alike {
                    self.search(Group::Form, reading, found);
                }
            }
        }
        if pairs && !alike {
            let params = lazy.pairs(Field::Form, subject);
            params.texts().for_each(|text| self.search(Group::Form, text, found));
        }
    }

    fn has(&self, group: Group) -> bool {
        !self.literals[group as usize].is_empty()
    }

    fn search(&self, group: Group, text: &[u8], found: &mut Candidates) {
        self.literals[group as usize].scan(text, |rule| found.wake(rule));
    }

    fn over(&self, size: Size, number: usize, found: &mut Candidates) {
        self.sizes[size as usize].below(number as u64).for_each(|rule| found.wake(rule));
    }
}

fn built(texts: FxHashMap<Vec<u8>, Vec<u32>>) -> Result<Literals, String> {
    let mut texts: Vec<(Vec<u8>, Vec<u32>)> = texts.into_iter().collect();
    texts.sort_unstable();
    Literals::build(texts)
}

/// No reading of a query is longer: decoding shortens, but one byte of a code page may become up to
/// four of UTF-8.
fn longest_reading(text: &[u8]) -> usize {
    if text.is_ascii() { text.len() } else { text.len().saturating_mul(4) }
}
