//! The words of Caldera's API.

use casemate_plugin::word;

fn is_name(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphanumeric() || at > 0 && b"_-".contains(&byte))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

word! {
    /// A group of agents. The first character is one that a grant can name.
    pub(crate) Group, "a group: 1 to 64 letters, digits, `_` and `-`, a letter or digit first", 1..=64,
    "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", is_name, str::to_owned
}

word! {
    /// An adversary: a UUID, `ad-hoc`, or what its author called it.
    pub(crate) AdversaryId, "an adversary's id: 1 to 64 letters, digits, `_` and `-`, a letter or digit first", 1..=64,
    "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", is_name, str::to_owned
}

word! {
    /// An ability: a UUID where stockpile wrote it, 32 hexadecimal digits where the atomic plugin did.
    pub(crate) AbilityId, "an ability's id: a UUID or 32 hexadecimal digits, in lower case", 32..=36,
    "^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$",
    |text| (text.len() == 32 && is_hex(text)) || is_uuid(text), str::to_owned
}

word! {
    /// An operation.
    pub(crate) OperationId, "an operation's id: a UUID in lower case", 36..=36,
    "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", is_uuid, str::to_owned
}

word! {
    /// A tactic or a platform: `discovery`, `credential-access`, `linux`.
    pub(crate) Word, "2 to 40 lower-case letters, digits and `-`, a letter first", 2..=40, "^[a-z][a-z0-9-]{1,39}$",
    |text| text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
    str::to_owned
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    const UUID: &str = "43b3754c-def4-4699-a673-1d85648fda6a";
    const HEX: &str = "44d88612fea8a8f36de82e1278abb02f";

    #[test]
    fn ids_of_both_plugins_are_ids() {
        let (upper, cut, long) = (UUID.to_uppercase(), &HEX[1..], format!("{HEX}0000"));
        check::<AbilityId>(&[UUID, HEX], &["", cut, &long, &UUID.replace('-', "_"), "../config/main", &format!("{HEX}\n")], true);
        assert!(upper.parse::<AbilityId>().is_err() && HEX.to_uppercase().parse::<AbilityId>().is_err());
        check::<OperationId>(&[UUID], &["", HEX, &upper.replace('4', "G"), "x"], true);
    }

    #[test]
    fn names_are_what_a_grant_can_name() {
        let (longest, longer) = ("x".repeat(64), "x".repeat(65));
        let bad = ["", "-x", "_x", "a b", "a/b", "a.b", "é", "red-lab\n", " red-lab", "a\u{0}", &longer];
        check::<Group>(&["red", "red-lab_2", "R", &longest], &bad, true);
        check::<AdversaryId>(&[UUID, "ad-hoc", &longest], &bad, true);
        check::<Word>(&["discovery", "credential-access", "linux"], &["", "x", "Discovery", "1x", "-x", "a b", &longest], true);
    }
}
