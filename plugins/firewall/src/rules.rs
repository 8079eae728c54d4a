//! What may be blocked: rules that hold before anything is asked or sent.

use casemate_crowdsec::Network;
use casemate_plugin::{Failure, leak, public};
use serde::Deserialize;

/// The longest prefix that is too short: what is larger is not one attacker.
const LARGEST_V4: u8 = 24;
const LARGEST_V6: u8 = 48;

/// The operator's settings that are the plugin's business; `machine_id` is the host's.
#[derive(Debug, Deserialize)]
pub(crate) struct Settings {
    never_block: Vec<String>,
    /// Blocks that may be in force at once.
    #[serde(default = "twenty")]
    pub(crate) max_active: usize,
    /// Whether networks may be blocked.
    #[serde(default)]
    ranges: bool,
}

fn twenty() -> usize {
    20
}

impl Settings {
    /// Whether the network may be blocked.
    ///
    /// # Errors
    /// The rule that says no.
    pub(crate) fn allow(&self, target: Network) -> Result<(), Failure> {
        let refuse = |why: &str| Err(Failure::invalid_arguments(format!("`{target}` is not blocked: {why}")));
        let largest = if target.first().is_ipv4() { LARGEST_V4 } else { LARGEST_V6 };
        if target.prefix() < largest {
            return refuse(&format!("it is a larger network than a /{largest}"));
        }
        // What is set aside is set aside in larger pieces than may be blocked, so both ends say it for all between them.
        for end in [target.first(), target.last()] {
            if let Err(why) = public::address(end) {
                return refuse(&format!("{end} is {why}, and blocks are for public addresses"));
            }
        }
        for text in &self.never_block {
            let Ok(never) = text.parse::<Network>() else {
                return Err(Failure::internal(format!(
                    "nothing is blocked before `never_block` in the settings makes sense: `{text}` is no network whose host bits are zero"
                )));
            };
            if never.overlaps(target) {
                return refuse(&format!("the operator's never_block has {never}"));
            }
        }
        if !target.is_address() && !self.ranges {
            return refuse(
                "it is a network, and firewalls may take its first address for the whole; block single addresses, or the operator sets `ranges` where every bouncer blocks networks",
            );
        }
        Ok(())
    }
}

/// What people will read, and CrowdSec may share.
///
/// # Errors
/// When it holds what looks like a credential.
pub(crate) fn allow_reason(reason: &str) -> Result<(), Failure> {
    match leak::found(reason) {
        Some(what) => {
            Err(Failure::invalid_arguments(format!("nothing was blocked: the reason holds {what}, and CrowdSec may share it")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn settings(ranges: bool) -> Settings {
        let never = ["9.9.9.9", "185.220.100.0/22", "2606:4700::/32"];
        Settings { never_block: never.map(str::to_owned).into(), max_active: 20, ranges }
    }

    #[track_caller]
    fn refused(text: &str, ranges: bool, part: &str) {
        let failure = settings(ranges).allow(text.parse().unwrap()).unwrap_err();
        assert!(failure.message().contains(part), "{text}: {failure}");
    }

    #[test]
    fn public_addresses_may_be_blocked() {
        for text in ["185.220.105.1", "8.8.8.8", "2a00:1450::1"] {
            settings(false).allow(text.parse().unwrap()).unwrap();
        }
        for text in ["185.220.105.0/24", "185.220.105.128/25", "2a00:1450:1::/48", "2a00:1450:1:2::/64"] {
            settings(true).allow(text.parse().unwrap()).unwrap();
        }
    }

    #[test]
    fn what_is_too_large_is_not() {
        for text in ["0.0.0.0/0", "8.0.0.0/8", "8.8.8.0/23", "::/0", "2a00::/16", "2a00:1450::/47"] {
            refused(text, true, "a larger network");
        }
    }

    #[test]
    fn what_is_not_public_is_not() {
        for text in [
            "0.0.0.0",
            "10.0.0.5",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "198.51.100.7",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "10.0.0.0/24",
            "192.0.0.0/24",
            "2001:db8:1::/48",
            "::/64",
        ] {
            refused(text, true, "blocks are for public addresses");
        }
    }

    #[test]
    fn what_must_stay_reachable_stays() {
        for text in ["9.9.9.9", "185.220.101.1", "185.220.103.255", "2606:4700:4700::1111"] {
            refused(text, false, "never_block");
        }
        // Also where it is only a part.
        for text in ["9.9.9.0/24", "9.9.9.8/31", "185.220.102.0/24", "2606:4700:1::/48"] {
            refused(text, true, "never_block");
        }
        settings(false).allow("9.9.9.8".parse().unwrap()).unwrap();
    }

    #[test]
    fn networks_wait_for_bouncers_that_know_them() {
        for text in ["185.220.105.0/24", "185.220.105.0/31", "2a00:1450:1::/48"] {
            refused(text, false, "take its first address for the whole");
        }
    }

    #[test]
    fn a_list_that_makes_no_sense_allows_nothing() {
        for never in ["1.1.1.7/24", "300.1.1.1", "::g", "1.1.1.1/33"] {
            let settings = Settings { never_block: vec![never.to_owned()], max_active: 20, ranges: true };
            assert!(settings.allow("8.8.8.8".parse().unwrap()).unwrap_err().message().contains("never_block"), "{never}");
        }
    }

    #[test]
    fn a_reason_gives_nothing_away() {
        allow_reason("brute force against vpn, ticket 4711").unwrap();
        let key = format!("AKIA{}", "A1B2C3D4".repeat(2));
        let failure = allow_reason(&format!("it used {key}")).unwrap_err();
        assert!(!failure.message().contains(&key), "{failure}");
    }
}
