//! The words of AWS and of Stratus Red Team.

use casemate_plugin::word;

word! {
    /// A technique's id: platform, tactic, name.
    pub(crate) TechniqueName, "a technique's id, such as aws.defense-evasion.cloudtrail-stop", 8..=80,
    "^(aws|azure|eks|entra-id|gcp|k8s)\\.[a-z-]{1,30}\\.[a-z0-9-]{1,60}$",
    |text| {
        let mut parts = text.split('.');
        let (platform, tactic, name) = (parts.next(), parts.next(), parts.next());
        let plain = |part: Option<&str>, longest: usize, digits: bool| part.is_some_and(|part| (1..=longest).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || (digits && byte.is_ascii_digit())));
        platform.is_some_and(|it| ["aws", "azure", "eks", "entra-id", "gcp", "k8s"].contains(&it))
            && plain(tactic, 30, false) && plain(name, 60, true) && parts.next().is_none()
    },
    str::to_owned
}

word! {
    /// An AWS account.
    pub(crate) Account, "an AWS account: 12 digits", 12..=12, "^[0-9]{12}$",
    |text| text.bytes().all(|byte| byte.is_ascii_digit()), str::to_owned
}

word! {
    /// A region.
    pub(crate) Region, "a region, such as eu-west-1", 9..=20, "^[a-z]{2}(-[a-z]+)+-[0-9]$",
    |text| {
        let mut parts = text.split('-');
        let (first, last) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or_default());
        let letters = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
        let mut middle = parts.peekable();
        first.len() == 2 && letters(first) && last.len() == 1 && last.bytes().all(|byte| byte.is_ascii_digit())
            && middle.peek().is_some() && middle.all(letters)
    },
    str::to_owned
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    #[test]
    fn names_accounts_and_regions() {
        check::<TechniqueName>(
            &["aws.defense-evasion.cloudtrail-stop", "entra-id.persistence.hidden-au", "gcp.x.yz"],
            &[
                "",
                "aws",
                "aws.x",
                "aws..x-is-empty",
                "AWS.x.y-capital",
                "ibm.persistence.x",
                "aws.a.b.c-too-many",
                "aws.x.y z-blank",
                "aws.x.y/../z",
            ],
            true,
        );
        check::<Account>(&["111122223333"], &["", "11112222333", "1111-2222-3333", "1111222233334", "11112222333x", "*"], true);
        check::<Region>(
            &["eu-west-1", "us-gov-east-1", "ap-southeast-2"],
            &["", "eu-west", "europe-west1", "eu--west-1", "eu-west-1a", "eu-west-12", "EU-WEST-1", "eu-west-1.evil", "*"],
            true,
        );
    }
}
