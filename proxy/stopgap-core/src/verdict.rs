//! What is said of a request: a tier, a reason, the rule if there is one, and where it was seen.
//!
//! The reasons are one closed table. Its rows are the metric label, the log field and the test
//! expectation, so a reason is never a free string. Where IIS itself has a sub-status for the same
//! refusal (404.7, 413.1, ...) the row carries it, so that IIS people recognise it.
//!
//! A ruling is a verdict and what is done about it: an action, in a mode.

use serde::Deserialize;

/// How bad a request is. Only the first two tiers may be let through by `detect` mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Tier {
    /// A rule or a limit forbids it.
    Denied = 1,
    /// The target can be read in two ways that differ in what would be reached.
    Ambiguous = 2,
    /// It cannot be framed safely: refused in every mode, and the connection closes.
    Malformed = 3,
    /// The request is fine; the origin is not (502, 503, 504) or the client was too slow.
    Failed = 4,
}

impl Tier {
    pub const ALL: [(Tier, &'static str); 4] = [
        (Tier::Denied, "denied"),
        (Tier::Ambiguous, "ambiguous"),
        (Tier::Malformed, "malformed"),
        (Tier::Failed, "failed"),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL[self as usize - 1].1
    }
}

macro_rules! reasons {
    ($($variant:ident $name:literal $tier:ident $status:literal $iis:literal $text:literal;)*) => {
        /// Why a request is refused. Closed: every value has a row, every row a test.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Reason { $(#[doc = $text] $variant),* }

        impl Reason {
            pub const ALL: &'static [Reason] = &[$(Reason::$variant),*];

            /// The name used in metrics, events, rules and documentation.
            pub fn name(self) -> &'static str { match self { $(Reason::$variant => $name),* } }
            pub fn tier(self) -> Tier { match self { $(Reason::$variant => Tier::$tier),* } }
            /// The HTTP status of the answer.
            pub fn status(self) -> u16 { match self { $(Reason::$variant => $status),* } }
            /// IIS's own sub-status for the same refusal, or "".
            pub fn iis(self) -> &'static str { match self { $(Reason::$variant => $iis),* } }
            /// One sentence for people.
            pub fn text(self) -> &'static str { match self { $(Reason::$variant => $text),* } }
        }
    };
}

reasons! {
    // Rules (the reason follows from the field that the rule looks at).
    RuleDenied "rule-denied" Denied 404 "404.19" "A rule forbids this request.";
    ExtensionDenied "extension-denied" Denied 404 "404.7" "A rule forbids this file extension.";
    SegmentDenied "segment-denied" Denied 404 "404.8" "A rule forbids this path segment or file name.";
    UrlDenied "url-denied" Denied 404 "404.5" "A rule forbids this path.";
    QueryDenied "query-denied" Denied 404 "404.18" "A rule forbids this query string.";
    MethodDenied "method-denied" Denied 405 "404.6" "A rule forbids this method.";
    HeaderDenied "header-denied" Denied 400 "404.10" "A rule forbids this header.";
    BodyDenied "body-denied" Denied 403 "" "A rule forbids what the body holds.";
    RateExceeded "rate-exceeded" Denied 429 "" "The client has sent more such requests than a rule allows.";
    // Limits of the site.
    TargetTooLong "target-too-long" Denied 414 "404.14" "The request target is longer than the site allows.";
    PathTooLong "path-too-long" Denied 414 "404.14" "The path is longer than the site allows.";
    SegmentTooLong "segment-too-long" Denied 414 "404.14" "One path segment is longer than the site allows.";
    TooManySegments "too-many-segments" Denied 414 "404.20" "The path has more segments than the site allows.";
    QueryTooLong "query-too-long" Denied 414 "404.15" "The query string is longer than the site allows.";
    TooManyEscapes "too-many-escapes" Denied 400 "" "The target holds more percent escapes than the site allows (MS00-023).";
    HeaderTooLong "header-too-long" Denied 431 "404.10" "One header field is longer than the site allows.";
    HeadTooLong "head-too-long" Malformed 431 "431" "The request head is longer than the site allows.";
    TooManyHeaders "too-many-headers" Malformed 431 "431" "The request has more header fields than the site allows.";
    BodyTooLong "body-too-long" Malformed 413 "413.1" "The body is longer than the site allows.";
    GetWithBody "get-with-body" Denied 400 "" "A GET or HEAD request carries a body, as Code Red's does.";
    // Targets that can be read in two ways that matter (catalogue 1.2 to 1.4).
    BadEscape "bad-escape" Ambiguous 400 "" "A percent sign in the path is not followed by two hexadecimal digits.";
    PercentU "percent-u" Ambiguous 400 "" "The path uses the %uHHHH notation that only IIS reads.";
    DoubleEscape "double-escape" Ambiguous 404 "404.11" "The path changes when it is decoded a second time.";
    OverlongUtf8 "overlong-utf8" Ambiguous 400 "" "The path hides an ASCII character in an overlong UTF-8 sequence.";
    HighBit "high-bit" Ambiguous 404 "404.12" "The target holds raw bytes above 0x7F.";
    BadDbcs "bad-dbcs" Ambiguous 400 "" "A double-byte lead byte in the path swallows a separator, a dot or the end.";
    BestFit "best-fit" Ambiguous 400 "" "A character in the path becomes a separator, dot or percent sign in the server's code page.";
    Backslash "backslash" Ambiguous 404 "404.5" "The path holds a backslash, which IIS reads as a slash.";
    Traversal "traversal" Ambiguous 404 "404.5" "The path climbs with dot segments.";
    DotsSegment "dots-segment" Ambiguous 404 "404.5" "A path segment is three or more dots.";
    TrailingDot "trailing-dot" Ambiguous 404 "404.5" "A path segment ends in a dot or a space, which Windows strips.";
    Stream "stream" Ambiguous 404 "404.5" "The path holds a colon: an NTFS stream or a drive.";
    SemicolonExtension "semicolon-extension" Ambiguous 404 "404.7" "The extension before a semicolon differs from the one after it.";
    ShortName "short-name" Ambiguous 404 "404.5" "A path segment has the shape of an 8.3 short name.";
    DeviceName "device-name" Ambiguous 404 "404.5" "A path segment is a DOS device name.";
    NulInPath "nul-in-path" Ambiguous 400 "" "The path decodes to a NUL, which ends the name early.";
    ControlInPath "control-in-path" Ambiguous 400 "" "The path decodes to a control character.";
    BadPathCharacter "bad-path-character" Ambiguous 400 "" "The path holds one of * ? \" < > | which no Windows file name has.";
    Fragment "fragment" Ambiguous 400 "" "The target holds a raw number sign.";
    TooManyReadings "too-many-readings" Ambiguous 400 "" "The target can be read in more ways than can be judged.";
    // Heads that cannot be framed safely (catalogue 1.5).
    LeadingWhitespace "leading-whitespace" Malformed 400 "" "White space stands before the method.";
    BadMethod "bad-method" Malformed 400 "" "The method is not a token of upper-case letters.";
    TabInRequestLine "tab-in-request-line" Malformed 400 "" "A tab separates the parts of the request line.";
    BadRequestLine "bad-request-line" Malformed 400 "" "The request line is not METHOD SP target SP version.";
    BadTarget "bad-target" Malformed 400 "" "The target is neither a path nor an absolute http URL.";
    NoVersion "no-version" Malformed 400 "" "The request line has no version (HTTP/0.9).";
    BadVersion "bad-version" Malformed 505 "" "The version is neither HTTP/1.0 nor HTTP/1.1.";
    BareLf "bare-lf" Malformed 400 "" "A line ends with LF alone.";
    BareCr "bare-cr" Malformed 400 "" "A CR is not followed by LF.";
    ObsFold "obs-fold" Malformed 400 "" "A header line continues the one before it.";
    WhitespaceLine "whitespace-line" Malformed 400 "" "A header line is white space only, which IIS 5 takes for the end of the head.";
    SpaceBeforeColon "space-before-colon" Malformed 400 "" "White space stands before the colon of a header.";
    BadHeaderName "bad-header-name" Malformed 400 "" "A header name is empty, not a token, or a name of framing with an underscore.";
    NulByte "nul-byte" Malformed 400 "" "The head holds a NUL byte.";
    ControlByte "control-byte" Malformed 400 "" "The head holds a control byte.";
    MissingHost "missing-host" Malformed 400 "" "An HTTP/1.1 request has no Host, or an empty one.";
    DuplicateHost "duplicate-host" Malformed 400 "" "The request has two Host headers.";
    BadHost "bad-host" Malformed 400 "" "The Host is not a name or address with an optional port.";
    HostMismatch "host-mismatch" Malformed 400 "" "The absolute target names another host than the Host header.";
    UnknownHost "unknown-host" Denied 404 "" "No site serves this host.";
    // Framing of the body (catalogue 1.6).
    DuplicateLength "duplicate-length" Malformed 400 "" "The request has two Content-Length headers.";
    BadLength "bad-length" Malformed 400 "" "The Content-Length is not one plain decimal number.";
    LengthAndTransfer "length-and-transfer" Malformed 400 "" "The request has both Content-Length and Transfer-Encoding.";
    TransferOnOld "transfer-on-1.0" Malformed 400 "" "An HTTP/1.0 request has a Transfer-Encoding.";
    UnknownTransfer "unknown-transfer" Malformed 501 "" "The Transfer-Encoding is not exactly chunked.";
    BadChunk "bad-chunk" Malformed 400 "" "The chunked body breaks the grammar.";
    EncodedBody "encoded-body" Denied 415 "" "The request body has a Content-Encoding, which IIS does not decode.";
    BodyCut "body-cut" Malformed 400 "" "The client closed before it sent the whole body it declared.";
    BadExpectation "bad-expectation" Malformed 417 "" "The Expect header is not 100-continue.";
    UpgradeDenied "upgrade-denied" Denied 403 "" "The site does not allow this protocol upgrade.";
    // Clients that are too slow, or too many.
    TooManyConnections "too-many-connections" Failed 429 "" "The client opens more connections than the configuration allows, a minute or at once.";
    GateFull "gate-full" Failed 503 "" "As many clients are connected as the gate takes.";
    ClientTls "client-tls" Failed 400 "" "No TLS connection could be agreed on with the client.";
    ProxyHeader "proxy-header" Failed 400 "" "The peer has to say by PROXY protocol whom it speaks for, and did not.";
    HeadTimeout "head-timeout" Failed 408 "" "The request head took too long.";
    BodyTimeout "body-timeout" Failed 408 "" "The body came too slowly.";
    // A machine that has run out of something.
    NoRoom "no-room" Failed 503 "" "The gate lacks room for it: disk for a held body, or a file for a connection.";
    // Origins that fail.
    OriginRefused "origin-refused" Failed 502 "" "The origin could not be reached.";
    OriginTls "origin-tls" Failed 502 "" "No TLS connection to the origin could be made.";
    OriginClosed "origin-closed" Failed 502 "" "The origin closed before it had answered.";
    OriginMalformed "origin-malformed" Failed 502 "" "The origin's answer cannot be framed safely.";
    OriginBusy "origin-busy" Failed 503 "" "Every allowed connection to the origin is in use.";
    OriginDown "origin-down" Failed 503 "" "Every origin of the site has failed and is left alone for a while.";
    OriginConnectTimeout "origin-connect-timeout" Failed 504 "" "The origin did not accept a connection in time.";
    OriginTimeout "origin-timeout" Failed 504 "" "The origin did not answer in time.";
    InternalError "internal-error" Failed 500 "" "Stopgap could not judge the request.";
}

impl Reason {
    /// The reason of tier "failed" with this index.
    pub fn failure(index: usize) -> Option<Reason> {
        Reason::ALL.get(index).copied().filter(|reason| reason.tier() == Tier::Failed)
    }
}

/// Where a verdict was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub reason: Reason,
    /// Index of the rule in the policy, when a rule matched.
    pub rule: Option<u32>,
    /// Index of the reading (0 is the first; also 0 when no reading was involved).
    pub reading: u16,
    /// Byte offset inside that reading, or inside the head for reasons of grammar.
    pub offset: u32,
}

impl Verdict {
    pub fn new(reason: Reason, offset: usize) -> Self {
        Verdict { reason, rule: None, reading: 0, offset: u32::try_from(offset).unwrap_or(u32::MAX) }
    }
}

/// What is done about a request that a rule matches. In the order of the board's columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Answer with a status.
    #[default]
    Block,
    /// Note it, and judge on.
    Detect,
    /// Close without an answer.
    Drop,
    /// Answer as late as the deadline allows.
    Tarpit,
    /// Leave the rule's headers out of what is forwarded, and judge on.
    Strip,
}

impl Action {
    /// (as rules name it, as events and metrics name what was done)
    const NAMES: [(&'static str, &'static str); Action::COUNT] = [
        ("block", "refused"),
        ("detect", "detected"),
        ("drop", "dropped"),
        ("tarpit", "tarpitted"),
        ("strip", "stripped"),
    ];
    pub const COUNT: usize = 5;

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    pub fn done(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// The request goes no further.
    pub fn stops(self) -> bool {
        matches!(self, Action::Block | Action::Drop | Action::Tarpit)
    }
}

/// Whether verdicts are carried out: always, for a share of the clients, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Block,
    Canary,
    Detect,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Block => "block",
            Mode::Canary => "canary",
            Mode::Detect => "detect",
        }
    }
}

/// A verdict and what is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    pub verdict: Verdict,
    pub action: Action,
    /// The mode in force for this rule or reason on this site.
    pub mode: Mode,
}
