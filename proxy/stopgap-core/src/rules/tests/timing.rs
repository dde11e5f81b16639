//! What `first` costs a plain request, by the number of rules. Run by hand:
//! `cargo test --release -- --ignored --nocapture time`.

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};

use crate::rules::tests::{Wire, compile};
use crate::rules::{Scratch, SiteRules};

const BROWSER: &str = "Host: intra.example\r\nConnection: keep-alive\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\
    User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept-Encoding: gzip, deflate\r\nAccept-Language: ja,en;q=0.5\r\nCookie: ASPSESSIONIDQQ=HGFEDCBAJKLMNOPQ\r\n\
    Referer: http://intra.example/kaikei/menu.asp\r\n\r\n";

/// Words like those of real rules: two syllables to four, from a fixed sequence.
struct Words(u64);

impl Words {
    fn number(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }

    fn word(&mut self, syllables: u64) -> String {
        let pick = |this: &mut Words, from: &[u8]| char::from(from[this.number(from.len() as u64) as usize]);
        let mut word = String::new();
        for _ in 0..syllables {
            word.push(pick(self, b"bcdfghjklmnprstvwxz"));
            word.push(pick(self, b"aeiou"));
            word.push(pick(self, b"lmnrst"));
        }
        word
    }

    fn rule(&mut self, number: usize) -> Value {
        let leaf =
            |field: &str, test: &str, value: String| json!({"field": field, "test": test, "value": [value]});
        let header = |name: &str, test: &str, value: String| json!({"field": "header", "name": name, "test": test, "value": [value]});
        let (short, word, long) = (self.word(1), self.word(2), self.word(3));
        match number * 7 % 20 {
            0..5 => leaf("extension", "equals", word),
            5..9 => leaf("basename", "equals", format!("{word}.{short}")),
            9..11 => leaf("path", "prefix", format!("/{word}/{long}/")),
            11 => leaf("path", "contains", format!("{short}{word}")),
            12 | 13 => leaf("query", "contains", format!("{long}(")),
            14 => json!({"field": "param", "name": word, "test": "length", "over": 100}),
            15 => header(&format!("x-{word}"), "equals", short),
            16 => header("user-agent", "contains", long),
            17 => leaf("path", "regex", format!("/{word}[0-9]+\\.{short}$")),
            18 => json!({"field": "segment", "test": "run", "over": 99 + self.number(200)}),
            _ => {
                json!({"all": [leaf("method", "equals", "GET".to_string()), leaf("body", "contains", long)]})
            }
        }
    }
}

fn rules(number: usize) -> SiteRules {
    let mut words = Words(7);
    compile(&(0..number).map(|i| words.rule(i)).collect::<Vec<Value>>())
}

/// Nanoseconds a call, the best of many short batches: other work on the machine hardly shows.
fn nanoseconds(rules: &SiteRules, wire: &Wire) -> f64 {
    let mut scratch = Scratch::default();
    let subject = wire.subject();
    let mut best = f64::MAX;
    for _ in 0..3000 {
        let start = Instant::now();
        for _ in 0..100 {
            assert!(black_box(rules.first(black_box(&subject), &mut scratch)).is_none());
        }
        best = best.min(start.elapsed().as_nanos() as f64 / 100.0);
    }
    best
}

#[test]
#[ignore = "a measurement"]
fn time_of_first() {
    let requests = [
        ("plain", "GET /kaikei/nyuryoku/denpyo.asp HTTP/1.1\r\n"),
        ("plain query", "GET /kaikei/denpyo.asp?id=4711&mode=edit&year=2001 HTTP/1.1\r\n"),
        ("escaped query", "GET /kaikei/denpyo.asp?id=4711&name=%93%FA%96%7B+x HTTP/1.1\r\n"),
        ("escaped path", "GET /kaikei/%93%FA%96%7B/denpyo.asp HTTP/1.1\r\n"),
    ];
    for number in [0, 10, 100, 1000, 10_000] {
        let start = Instant::now();
        let rules = rules(number);
        let compiled = start.elapsed().as_millis();
        for (name, line) in requests {
            let wire = Wire::new(format!("{line}{BROWSER}").as_bytes()).without_body();
            println!(
                "{number:6} rules, {name:14} {:7.0} ns  (compiled in {compiled} ms)",
                nanoseconds(&rules, &wire)
            );
        }
    }
}
