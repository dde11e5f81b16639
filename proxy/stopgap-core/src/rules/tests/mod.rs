//! Tests of the rules as a whole: requests are written as bytes, rules as JSON.

mod evaluation;
mod exceptions;
mod form;
mod property;
mod room;
mod specification;

use serde_json::{Value, json};

use crate::http1::head::{Field, Head, Span};
use crate::iis::readings::Readings;
use crate::iis::table::{CodePage, ServerTable};
use crate::rules::spec::Spec;
use crate::rules::{Finding, Match, Scratch, SiteRules, Subject};

pub const PAGES: [CodePage; 2] = [CodePage(1252), CodePage(932)];

/// A request and all that a `Subject` borrows.
pub struct Wire {
    buf: Vec<u8>,
    head: Head,
    readings: Readings,
    body: Option<Vec<u8>>,
    /// Declared length of the body; `None` for a chunked one.
    length: Option<u64>,
    client: Option<std::net::IpAddr>,
}

impl Wire {
    /// A request of bytes that are known to be well formed; the body follows the empty line.
    pub fn new(request: &[u8]) -> Wire {
        let length = request.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4;
        let mut head = Head { length, ..Head::default() };
        let mut at = 0;
        for (number, line) in request[..length - 4].split(|&byte| byte == b'\n').enumerate() {
            let end = line.strip_suffix(b"\r").unwrap_or(line).len() + at;
            let span = |from: usize, to: usize| Span::new(at + from, at + to);
            if number == 0 {
                let first = line.iter().position(|&byte| byte == b' ').unwrap();
                let last = line.iter().rposition(|&byte| byte == b' ').unwrap();
                let cut = line.iter().position(|&byte| byte == b'?').unwrap_or(last);
                head.method = span(0, first);
                head.target = span(first + 1, last);
                head.path = span(first + 1, cut);
                head.query = (cut < last).then(|| span(cut + 1, last));
                head.minor = u8::from(line.ends_with(b"1\r") || line.ends_with(b"1"));
            } else {
                let colon = line.iter().position(|&byte| byte == b':').unwrap();
                let field = Field { name: span(0, colon), value: Span::new(at + colon + 2, end) };
                if line[..colon].eq_ignore_ascii_case(b"host") {
                    head.host = field.value;
                }
                head.fields.push(field);
            }
            at += line.len() + 1;
        }
        let body = Some(request[length..].to_vec());
        let mut wire = Wire {
            buf: request.to_vec(),
            head,
            readings: Readings::default(),
            body,
            length: Some((request.len() - length) as u64),
            client: None,
        };
        wire.readings.read(wire.head.path.of(&wire.buf), any(), &PAGES);
        wire
    }

    /// `GET target` with a Host.
    pub fn get(target: &str) -> Wire {
        Wire::new(format!("GET {target} HTTP/1.1\r\nHost: vector.test\r\n\r\n").as_bytes())
    }

    pub fn from(mut self, client: &str) -> Wire {
        self.client = Some(client.parse().unwrap());
        self
    }

    /// Before the body has come.
    pub fn without_body(mut self) -> Wire {
        self.body = None;
        self
    }

    /// While a chunked body is coming.
    pub fn without_length(mut self) -> Wire {
        self.body = None;
        self.length = None;
        self
    }

    pub fn subject(&self) -> Subject<'_> {
        Subject {
            buf: &self.buf,
            head: &self.head,
            readings: &self.readings,
            table: any(),
            pages: &PAGES,
            client: self.client,
            body: self.body.as_deref(),
            body_length: self.length,
        }
    }

    pub fn first(&self, rules: &SiteRules) -> Option<Match> {
        rules.first(&self.subject(), &mut Scratch::default(), |_| true)
    }

    pub fn all(&self, rules: &SiteRules) -> Vec<Finding> {
        rules.all(&self.subject(), &mut Scratch::default())
    }
}

pub fn any() -> &'static ServerTable {
    ServerTable::named("any").unwrap()
}

/// A specification of these matches (rules `r0`, `r1`, ...) and one site with these exceptions.
pub fn specification(matches: &[Value], exceptions: &Value) -> Value {
    let rule = |(i, expr): (usize, &Value)| json!({"id": format!("r{i}"), "counter": i, "match": expr});
    let rules: Vec<Value> = matches.iter().enumerate().map(rule).collect();
    let indexes: Vec<usize> = (0..matches.len()).collect();
    json!({"rules": rules, "sites": [{
        "name": "kaikei", "counter": 0, "hosts": ["*"], "server": "any", "codepages": [1252, 932], "mode": "block",
        "rules": indexes, "limits": {}, "deadlines": {}, "body": "buffer", "raw_bytes": "allow",
        "exceptions": exceptions,
    }]})
}

pub fn compile_spec(spec: &Value) -> Result<SiteRules, String> {
    let spec = Spec::parse(spec.to_string().as_bytes())?;
    SiteRules::compile(&spec.rules, &spec.sites[0], any(), &PAGES)
}

pub fn compile(matches: &[Value]) -> SiteRules {
    compile_spec(&specification(matches, &json!([]))).unwrap()
}
