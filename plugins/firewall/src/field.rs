//! What is blocked.

use casemate_crowdsec::{InvalidNetwork, Network};
use casemate_plugin::word;

word! {
    /// An address, or a network whose host bits are zero; kept as Rust writes it, so that one network has one spelling.
    pub(crate) Target, "an address such as 203.0.113.7, or a network such as 203.0.113.0/24", 2..=49,
    "^[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?$",
    |text| text.parse::<Network>().is_ok(), |text| text.parse::<Network>().map(|it| it.to_string()).unwrap_or_default()
}

impl Target {
    pub(crate) fn network(&self) -> Result<Network, InvalidNetwork> {
        self.as_str().parse()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::Target;

    #[test]
    fn one_network_has_one_spelling() {
        for (text, kept) in [
            ("1.1.1.1", "1.1.1.1"),
            ("1.1.1.1/32", "1.1.1.1"),
            ("1.1.1.0/24", "1.1.1.0/24"),
            ("2606:4700:4700:0:0:0:0:1111", "2606:4700:4700::1111"),
            ("2606:4700:4700::1111/128", "2606:4700:4700::1111"),
            ("2606:4700:4700::/48", "2606:4700:4700::/48"),
            ("2A00::", "2a00::"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().as_str(), kept);
        }
        let bad = [
            "",
            "x",
            "1.1.1",
            "1.1.1.1/33",
            "1.1.1.7/24",
            "1.1.1.1/",
            "1.1.1.0/024",
            "::1%eth0",
            "1.1.1.1,2.2.2.2",
            "0x01010101",
        ];
        check::<Target>(&["1.1.1.1", "1.1.1.0/24", "2A00::/16"], &bad, false);
    }
}
