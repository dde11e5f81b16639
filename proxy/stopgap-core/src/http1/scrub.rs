//! What an answer tells of the server and of the network behind it, and what is left of that; and what a
//! site adds to it.
//!
//! IIS 4 to 7 name their own address in Location, Content-Location and the realm of Basic where they know no
//! better one (CVE-2000-0649, CVE-2002-0422, KB218180), and old servers say exactly which they are. A site may
//! ask that neither passes. Only URLs and realms that name the origin, or an address that is private by
//! definition, are touched: a redirect to any other host is the application's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::rewrite::number;

/// Fields that only say which server it is.
const BANNERS: [&str; 6] = [
    "server",
    "x-powered-by",
    "x-aspnet-version",
    "x-aspnetmvc-version",
    "microsoftofficewebserver",
    "microsoftsharepointteamservices",
];

/// What a site wants scrubbed, and added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbing {
    pub server: bool,
    pub addresses: bool,
    /// The hosts of the origins.
    pub origins: Vec<String>,
    /// Seconds of Strict-Transport-Security on answers over TLS; 0: none.
    pub hsts: u32,
}

/// What a site wants scrubbed, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Scrub<'a> {
    pub wanted: &'a Scrubbing,
    /// The host that the client asked for, with its port.
    pub host: &'a [u8],
    pub tls: bool,
}

/// What becomes of a field.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    Kept,
    LeftOut,
    Changed(Vec<u8>),
}

impl Scrub<'_> {
    pub fn field(&self, name: &str, value: &[u8]) -> Fate {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if self.wanted.server && BANNERS.iter().any(|known| is(known)) {
            return Fate::LeftOut;
        }
        if self.tls && self.wanted.hsts > 0 && is("strict-transport-security") {
            return Fate::LeftOut;
        }
        if !self.wanted.addresses {
            return Fate::Kept;
        }
        let changed = if is("location") || is("content-location") {
            self.url(value)
        } else if is("www-authenticate") {
            self.realm(value)
        } else {
            None
        };
        changed.map_or(Fate::Kept, Fate::Changed)
    }

    /// Append the fields that the site adds.
    pub fn add(&self, out: &mut Vec<u8>) {
        if self.tls {
            hsts(self.wanted.hsts, out);
        }
    }

    /// A URL of the origin becomes relative (RFC 9110 10.2.2), so that the client's own scheme, host and port
    /// go on to count. One that changes to https names the host that the client asked for.
    fn url(&self, value: &[u8]) -> Option<Vec<u8>> {
        let value = value.trim_ascii();
        let (secure, rest) = [("http://", false), ("https://", true), ("//", self.tls)]
            .iter()
            .find_map(|(scheme, secure)| Some((*secure, strip_prefix(value, scheme)?)))?;
        let end = rest.iter().position(|byte| b"/?#\\".contains(byte)).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit(|byte| *byte == b'@').next().unwrap_or(authority);
        if !self.is_internal(without_port(authority)) {
            return None;
        }
        let mut url = Vec::with_capacity(value.len());
        if secure && !self.tls {
            url.extend_from_slice(b"https://");
            url.extend_from_slice(without_port(self.host));
        }
        // Without the slash of its own, what follows would be read against the page that was asked for; with
        // two it would name another host.
        let bare = path.iter().position(|byte| !b"/\\".contains(byte)).unwrap_or(path.len());
        url.push(b'/');
        url.extend_from_slice(path.get(bare..).unwrap_or(&[]));
        Some(url)
    }

    /// The realm of Basic, which is shown to people only. That of Digest is part of what is hashed, and NTLM and
    /// Negotiate have none: they pass as they are.
    fn realm(&self, value: &[u8]) -> Option<Vec<u8>> {
        const START: &[u8] = b"basic realm=\"";
        let at = value.windows(START.len()).position(|part| part.eq_ignore_ascii_case(START))? + START.len();
        let (before, rest) = value.split_at(at);
        let (realm, after) = rest.split_at(rest.iter().position(|byte| *byte == b'"')?);
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let mut changed = before.to_vec();
        for word in realm.chunk_by(|one, next| is_part(*one) == is_part(*next)) {
            let internal = self.is_internal(without_port(word));
            changed.extend_from_slice(if internal { self.host } else { word });
        }
        changed.extend_from_slice(after);
        (changed != value).then_some(changed)
    }

    fn is_internal(&self, host: &[u8]) -> bool {
        let Ok(host) = std::str::from_utf8(host) else { return false };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        self.wanted.origins.iter().any(|origin| origin.eq_ignore_ascii_case(bare))
            || bare.parse().is_ok_and(|address| match address {
                IpAddr::V4(address) => is_private(address),
                IpAddr::V6(address) => is_local(address),
            })
    }
}

/// RFC 6797 6.1: only over TLS. 0: none.
pub fn hsts(seconds: u32, out: &mut Vec<u8>) {
    if seconds > 0 {
        out.extend_from_slice(b"Strict-Transport-Security: max-age=");
        number(out, u64::from(seconds));
        out.extend_from_slice(b"\r\n");
    }
}

fn is_private(address: Ipv4Addr) -> bool {
    address.is_private() || address.is_loopback() || address.is_link_local()
}

fn is_local(address: Ipv6Addr) -> bool {
    address.to_ipv4_mapped().map_or_else(
        || address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
        is_private,
    )
}

fn strip_prefix<'a>(value: &'a [u8], prefix: &str) -> Option<&'a [u8]> {
    let (start, rest) = value.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
}

pub fn without_port(authority: &[u8]) -> &[u8] {
    let end = match authority {
        [b'[', ..] => authority.iter().position(|byte| *byte == b']').map(|at| at + 1),
        _ => authority.iter().position(|byte| *byte == b':'),
    };
    authority.get(..end.unwrap_or(authority.len())).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::{Fate, Scrub, Scrubbing};

    fn scrubbed(name: &str, value: &str, tls: bool) -> Option<String> {
        let wanted =
            Scrubbing { server: true, addresses: true, origins: vec!["iis5.corp".to_string()], hsts: 86_400 };
        let scrub = Scrub { wanted: &wanted, host: b"www.example.jp:8080", tls };
        match scrub.field(name, value.as_bytes()) {
            Fate::Kept => Some(value.to_string()),
            Fate::LeftOut => None,
            Fate::Changed(value) => Some(String::from_utf8(value).unwrap()),
        }
    }

    #[test]
    fn urls_of_the_origin_become_relative() {
        for (value, said) in [
            ("http://10.1.2.3/a/b.asp?x=1", "/a/b.asp?x=1"),
            ("HTTP://192.168.0.9:8000/", "/"),
            ("http://172.31.0.1", "/"),
            ("http://172.32.0.1/", "http://172.32.0.1/"),
            ("http://127.0.0.1?x", "/?x"),
            ("http://IIS5.corp:80/login.asp", "/login.asp"),
            ("http://user:pw@10.0.0.1/x", "/x"),
            ("//10.0.0.1/x", "/x"),
            ("http://10.0.0.1//evil.example/", "/evil.example/"),
            ("http://10.0.0.1/\\evil.example/", "/evil.example/"),
            ("http://[fe80::1]:80/x", "/x"),
            ("http://[::ffff:10.0.0.1]/x", "/x"),
            ("https://10.0.0.1/x", "https://www.example.jp/x"),
            ("http://10.0.0.1.example.jp/x", "http://10.0.0.1.example.jp/x"),
            ("http://other.example/10.0.0.1", "http://other.example/10.0.0.1"),
            ("ftp://10.0.0.1/x", "ftp://10.0.0.1/x"),
            ("/10.0.0.1", "/10.0.0.1"),
            ("", ""),
        ] {
            assert_eq!(scrubbed("Location", value, false).as_deref(), Some(said), "{value}");
        }
        assert_eq!(scrubbed("content-location", "https://10.0.0.1/x", true).as_deref(), Some("/x"));
    }

    #[test]
    fn of_challenges_only_the_realm_of_basic_changes() {
        for (value, said) in [
            ("Basic realm=\"10.0.0.1\"", "Basic realm=\"www.example.jp:8080\""),
            ("Negotiate, basic realm=\"on IIS5.CORP\"", "Negotiate, basic realm=\"on www.example.jp:8080\""),
            ("Basic realm=\"my site\"", "Basic realm=\"my site\""),
            ("Basic realm=\"10.0.0.1", "Basic realm=\"10.0.0.1"),
            ("Digest realm=\"10.0.0.1\", nonce=\"x\"", "Digest realm=\"10.0.0.1\", nonce=\"x\""),
            ("NTLM TlRMTVNTUAACAAAA", "NTLM TlRMTVNTUAACAAAA"),
            ("Negotiate", "Negotiate"),
        ] {
            assert_eq!(scrubbed("WWW-Authenticate", value, false).as_deref(), Some(said), "{value}");
        }
    }

    #[test]
    fn over_tls_the_sites_own_hsts_counts() {
        let origins = "max-age=1; includeSubDomains";
        assert_eq!(scrubbed("Strict-Transport-Security", origins, true), None);
        assert_eq!(scrubbed("Strict-Transport-Security", origins, false).as_deref(), Some(origins));
        for (tls, said) in [(true, "Strict-Transport-Security: max-age=86400\r\n"), (false, "")] {
            let wanted = Scrubbing { hsts: 86_400, ..Scrubbing::default() };
            let mut out = Vec::new();
            Scrub { wanted: &wanted, host: b"", tls }.add(&mut out);
            assert_eq!(out, said.as_bytes());
        }
    }

    #[test]
    fn banners_go_and_nothing_else() {
        for name in ["Server", "X-Powered-By", "x-aspnet-version", "MicrosoftSharePointTeamServices"] {
            assert_eq!(scrubbed(name, "anything", false), None, "{name}");
        }
        assert_eq!(scrubbed("X-Server", "10.0.0.1", false).as_deref(), Some("10.0.0.1"));
    }
}
