//! The limits and deadlines that a site has unless it names its own, one row a server table.

use std::collections::BTreeMap;

use crate::iis::table::ServerTable;

/// Bounds of a request; bytes or counts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub target: usize,
    pub path: usize,
    pub segment: usize,
    pub segments: usize,
    pub query: usize,
    /// Percent signs in the target (MS00-023).
    pub escapes: usize,
    /// One header value; `credentials` for Authorization and Cookie.
    pub header: usize,
    pub credentials: usize,
    /// The whole head, and how many fields it has.
    pub head: usize,
    pub headers: usize,
    pub body: u64,
    /// Of a body, what rules may look at.
    pub window: usize,
}

/// Deadlines in nanoseconds; `body_rate` in bytes a second.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    pub head: u64,
    pub idle: u64,
    pub body_rate: u64,
    pub first_byte: u64,
    pub total: u64,
    pub tarpit: u64,
    pub tunnel: u64,
}

type Row = (&'static str, [u64; 12]);

const LIMIT_KEYS: [&str; 12] = [
    "target",
    "path",
    "segment",
    "segments",
    "query",
    "escapes",
    "header",
    "credentials",
    "head",
    "headers",
    "body",
    "window",
];

/// Catalogue 1.7 and its "suggested filter defaults". No IIS up to 5.1 protects itself by its own
/// limits. Targets: MS04-021 (1024 on IIS 4), MS02-018 (2048 up to 5.1); later servers by http.sys
/// and requestFiltering (4096 + 2048). The bodies are UrlScan's and requestFiltering's 30 000 000.
const LIMITS: [Row; 8] = [
    ("iis4", [1024, 1024, 255, 64, 1024, 512, 8192, 16_384, 24_576, 64, 30_000_000, 65_536]),
    ("iis5", [2048, 1024, 255, 64, 2048, 512, 8192, 16_384, 24_576, 64, 30_000_000, 65_536]),
    ("iis5.1", [2048, 1024, 255, 64, 2048, 512, 8192, 16_384, 24_576, 64, 30_000_000, 65_536]),
    ("iis6", [4096, 2048, 260, 255, 4096, 1024, 16_384, 16_384, 32_768, 100, 30_000_000, 65_536]),
    ("iis7", [6144, 4096, 260, 255, 2048, 1024, 16_384, 16_384, 32_768, 100, 30_000_000, 65_536]),
    ("iis8", [6144, 4096, 260, 255, 2048, 1024, 16_384, 16_384, 32_768, 100, 30_000_000, 65_536]),
    ("iis10", [6144, 4096, 260, 255, 2048, 1024, 16_384, 16_384, 32_768, 100, 30_000_000, 65_536]),
    ("any", [2048, 1024, 255, 64, 2048, 512, 8192, 16_384, 24_576, 64, 30_000_000, 65_536]),
];

/// The widest value a limit may be given: what the gate's own buffers bear.
const WIDEST: [u64; 12] =
    [65_536, 65_536, 65_536, 4096, 65_536, 65_536, 65_536, 65_536, 131_072, 1024, 1 << 40, 1 << 20];

const DEADLINES: [(&str, f64); 10] = [
    ("head", 10.0),
    ("idle", 75.0),
    ("body_rate", 500.0),
    ("connect", 5.0),
    ("first_byte", 120.0),
    ("total", 3600.0),
    ("write", 30.0),
    ("drain", 30.0),
    ("tarpit", 30.0),
    ("tunnel", 3600.0),
];

/// The default limits of a server table.
pub fn limits(server: &str) -> Option<Vec<(&'static str, u64)>> {
    let (_, row) = LIMITS.iter().find(|(name, _)| *name == server)?;
    Some(LIMIT_KEYS.into_iter().zip(*row).collect())
}

/// The default deadlines, in seconds.
pub fn deadlines() -> &'static [(&'static str, f64)] {
    &DEADLINES
}

impl Limits {
    /// The table's defaults with a site's own values over them.
    pub fn read(table: &ServerTable, own: &BTreeMap<String, u64>) -> Result<Limits, String> {
        let (_, row) = LIMITS.iter().find(|(name, _)| *name == table.name).ok_or("server: no limits")?;
        let mut values = *row;
        for (key, value) in own {
            let index = LIMIT_KEYS.iter().position(|known| known == key);
            let index =
                index.ok_or_else(|| format!("limits.{key}: unknown; known are {}", LIMIT_KEYS.join(" ")))?;
            if *value == 0 || *value > WIDEST[index] {
                return Err(format!("limits.{key}: {value} is not between 1 and {}", WIDEST[index]));
            }
            values[index] = *value;
        }
        let [
            target,
            path,
            segment,
            segments,
            query,
            escapes,
            header,
            credentials,
            head,
            headers,
            body,
            window,
        ] = values;
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Ok(Limits {
            target: size(target),
            path: size(path),
            segment: size(segment),
            segments: size(segments),
            query: size(query),
            escapes: size(escapes),
            header: size(header),
            credentials: size(credentials),
            head: size(head),
            headers: size(headers),
            body,
            window: size(window),
        })
    }
}

impl Deadlines {
    pub fn read(own: &BTreeMap<String, f64>) -> Result<Deadlines, String> {
        if let Some(key) = own.keys().find(|key| !DEADLINES.iter().any(|(known, _)| known == key)) {
            let known: Vec<&str> = DEADLINES.iter().map(|(key, _)| *key).collect();
            return Err(format!("deadlines.{key}: unknown; known are {}", known.join(" ")));
        }
        let value = |key: &str| {
            let default = DEADLINES.iter().find(|(known, _)| *known == key).map_or(0.0, |(_, value)| *value);
            own.get(key).copied().unwrap_or(default)
        };
        let nanoseconds = |key: &str| (value(key) * 1e9) as u64;
        Ok(Deadlines {
            head: nanoseconds("head"),
            idle: nanoseconds("idle"),
            body_rate: value("body_rate") as u64,
            first_byte: nanoseconds("first_byte"),
            total: nanoseconds("total"),
            tarpit: nanoseconds("tarpit"),
            tunnel: nanoseconds("tunnel"),
        })
    }
}
