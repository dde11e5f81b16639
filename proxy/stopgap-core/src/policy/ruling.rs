//! What is done about a verdict on a site, and for whom: actions, modes, the canary share.
//!
//! The mode of the rule comes before that of the reason, and that before the site's. A rule with
//! action "detect" only ever detects. What cannot be framed is refused in every mode.

use std::net::IpAddr;

use rustc_hash::FxHashMap;

use super::Policy;
use crate::rules::neighbours;
use crate::rules::spec::{OnError, RuleSpec, SiteSpec};
use crate::verdict::{Action, Mode, Reason, Ruling, Tier, Verdict};

/// Things that are noted of one request.
const NOTED: usize = 4;

/// The modes of a site.
#[derive(Debug)]
pub struct Modes {
    site: Mode,
    canary: u8,
    rules: FxHashMap<u32, Mode>,
    reasons: FxHashMap<Reason, Mode>,
}

impl Modes {
    pub fn compile(rules: &[RuleSpec], spec: &SiteSpec) -> Modes {
        let named = |name: &str| spec.modes.get(name).copied();
        Modes {
            site: spec.mode,
            canary: spec.canary,
            rules: (0..).zip(rules).filter_map(|(index, rule)| Some((index, named(&rule.id)?))).collect(),
            reasons: Reason::ALL
                .iter()
                .filter_map(|reason| {
                    let open = spec.on_error == OnError::Forward && *reason == Reason::TooManyReadings;
                    Some((*reason, named(reason.name()).or(open.then_some(Mode::Detect))?))
                })
                .collect(),
        }
    }

    pub fn site(&self) -> Mode {
        self.site
    }

    fn of(&self, verdict: &Verdict) -> Mode {
        let rule = verdict.rule.and_then(|rule| self.rules.get(&rule));
        *rule.or_else(|| self.reasons.get(&verdict.reason)).unwrap_or(&self.site)
    }

    /// Whether a mode blocks this client.
    fn blocks(&self, mode: Mode, client: Option<IpAddr>) -> bool {
        match mode {
            Mode::Block => true,
            Mode::Canary => share(client) < self.canary,
            Mode::Detect => false,
        }
    }
}

/// In which hundredth of all clients this one is: always the same, in every worker. Clients of one IPv6
/// network of 64 bits are one client; one without an address is in the last.
fn share(client: Option<IpAddr>) -> u8 {
    let Some(client) = client else { return 99 };
    let mut bits = neighbours(client);
    // splitmix64: neighbours are spread over all hundredths.
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) % 100) as u8
}

/// What was noted of one request, so that a second look at it (with its body) notes nothing twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noted {
    keys: [u32; NOTED],
    length: usize,
}

impl Noted {
    /// Whether this is new, and there is room for it.
    pub fn add(&mut self, verdict: Verdict) -> bool {
        self.add_key(verdict.rule.unwrap_or(u32::MAX - verdict.reason as u32))
    }

    pub fn add_key(&mut self, key: u32) -> bool {
        let known = self.keys[..self.length].contains(&key);
        if known || self.length == NOTED {
            return false;
        }
        self.keys[self.length] = key;
        self.length += 1;
        true
    }
}

impl Policy {
    /// A verdict that is carried out whatever the mode: the request cannot be served.
    pub fn refusal(&self, site: usize, verdict: Verdict) -> Ruling {
        let verdict = self.labelled(site, verdict);
        let action = match verdict.reason.tier() {
            Tier::Failed => Action::Block,
            _ => Some(self.action(&verdict)).filter(|action| action.stops()).unwrap_or_default(),
        };
        Ruling { verdict, action, mode: Mode::Block }
    }

    /// A request that nobody can judge, because the judge itself failed: what the site wants then, in every
    /// mode.
    pub(super) fn unjudged(&self, site: usize) -> Ruling {
        let ruling = self.refusal(site, Verdict::new(Reason::InternalError, 0));
        match self.site(site).map(|site| site.on_error) {
            Some(OnError::Forward) => Ruling { action: Action::Detect, mode: Mode::Detect, ..ruling },
            _ => ruling,
        }
    }

    /// What becomes of a verdict, for this client.
    pub fn ruling(&self, site: usize, verdict: Verdict, client: Option<IpAddr>) -> Ruling {
        let ruling = self.intended(site, verdict);
        let modes = self.site(site).map(|site| &site.modes);
        let blocks = modes.is_none_or(|modes| modes.blocks(ruling.mode, client));
        Ruling { action: if blocks { ruling.action } else { Action::Detect }, ..ruling }
    }

    /// The action of a verdict's rule, and the mode in force.
    pub fn intended(&self, site: usize, verdict: Verdict) -> Ruling {
        let verdict = self.labelled(site, verdict);
        if verdict.reason.tier() >= Tier::Malformed {
            return self.refusal(site, verdict);
        }
        let action = self.action(&verdict);
        let mode = match (action, self.site(site)) {
            (Action::Detect, _) => Mode::Detect,
            (_, Some(site)) => site.modes.of(&verdict),
            (_, None) => Mode::Block,
        };
        Ruling { verdict, action, mode }
    }

    /// The mode in force for each rule of a site and each reason: (rule or reason, its reason, mode).
    pub fn modes(&self, index: usize) -> Vec<(&str, Reason, Mode)> {
        let Some(site) = self.site(index) else { return Vec::new() };
        let mode = |verdict| self.intended(index, verdict).mode;
        let rules = site.rules.reasons().filter_map(|(rule, reason)| {
            let verdict = Verdict { rule: Some(rule), ..Verdict::new(reason, 0) };
            Some((self.rules.get(rule as usize)?.id.as_str(), reason, mode(verdict)))
        });
        let reasons =
            Reason::ALL.iter().map(|reason| (reason.name(), *reason, mode(Verdict::new(*reason, 0))));
        rules.chain(reasons).collect()
    }

    /// The headers that these rules leave out.
    pub fn stripped(&self, rules: &[u32]) -> Vec<&str> {
        let rules = rules.iter().filter_map(|rule| self.rules.get(*rule as usize));
        rules.flat_map(|rule| rule.strip.iter().map(String::as_str)).collect()
    }

    /// A structural reason gets the rule that tells its story.
    pub(super) fn labelled(&self, site: usize, verdict: Verdict) -> Verdict {
        let label = || self.site(site).and_then(|site| site.rules.label(verdict.reason));
        Verdict { rule: verdict.rule.or_else(label), ..verdict }
    }

    fn action(&self, verdict: &Verdict) -> Action {
        let rule = verdict.rule.and_then(|rule| self.rules.get(rule as usize));
        rule.map(|rule| rule.action).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{Noted, share};

    #[test]
    fn a_client_is_always_in_the_same_hundredth() {
        let of = |text: &str| share(Some(text.parse::<IpAddr>().unwrap()));
        assert_eq!(of("192.0.2.7"), 28);
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    #[test]
    fn hundredths_are_of_one_size() {
        let mut counts = [0u32; 100];
        for low in 0..100_000u32 {
            counts[usize::from(share(Some(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + low)))))] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn four_things_are_noted_each_once() {
        let mut noted = Noted::default();
        let taken: Vec<bool> = [1, 2, 1, 3, 4, 5].into_iter().map(|key| noted.add_key(key)).collect();
        assert_eq!(taken, [true, true, false, true, true, false]);
    }
}
