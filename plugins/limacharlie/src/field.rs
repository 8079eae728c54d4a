//! The words of LimaCharlie's API.

use casemate_plugin::word;

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

fn is_name(text: &str, more: &[u8]) -> bool {
    text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphanumeric() || (at > 0 && more.contains(&byte)))
}

word! {
    /// A sensor (SID) or an organization (OID).
    pub(crate) Id, "an id: a UUID in lower case", 36..=36,
    "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", is_uuid, str::to_owned
}

word! {
    /// A rule's name. The first character is one that a grant can name.
    pub(crate) RuleName, "a rule's name: 1 to 64 letters, digits, `_` and `-`, a letter or digit first", 1..=64,
    "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", |text| is_name(text, b"_-"), str::to_owned
}

word! {
    /// A sensor's tag.
    pub(crate) Tag, "a tag: 1 to 64 letters, digits and ._-, a letter or digit first", 1..=64,
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", |text| is_name(text, b"._-"), str::to_owned
}

word! {
    /// How a host's name begins.
    pub(crate) HostPrefix, "how a host's name begins: 1 to 64 letters, digits and ._-", 1..=64, "^[A-Za-z0-9._-]{1,64}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), str::to_owned
}

word! {
    /// Where a list goes on.
    pub(crate) Cursor, "a cursor: 1 to 512 letters, digits and _=+/.-", 1..=512, "^[A-Za-z0-9_=+/.-]{1,512}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_=+/.-".contains(&byte)), str::to_owned
}

word! {
    /// What a detection is called.
    pub(crate) Category, "a detection's name: 1 to 100 letters, digits, spaces and ._:-, a letter or digit first", 1..=100,
    "^[A-Za-z0-9][A-Za-z0-9 ._:-]{0,99}$", |text| is_name(text, b" ._:-"), str::to_owned
}

word! {
    /// What a rule reports. Nothing in it is a template.
    pub(crate) Title, "a detection's name: 1 to 100 letters, digits, spaces and ._:()/-, a letter or digit first", 1..=100,
    "^[A-Za-z0-9][A-Za-z0-9 ._:()/-]{0,99}$", |text| is_name(text, b" ._:()/-"), str::to_owned
}

word! {
    /// A kind of event.
    pub(crate) Event, "a kind of event, such as NEW_PROCESS: 2 to 64 capital letters, digits and `_`, a letter first", 2..=64,
    "^[A-Z][A-Z0-9_]{1,63}$",
    |text| text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'),
    str::to_owned
}

word! {
    /// A place in an event, as rules name it: `*` stands for any number of keys, `?` for one.
    pub(crate) EventPath, "a place in an event, such as event/FILE_PATH or routing/hostname", 7..=200,
    "^(event|routing)/[A-Za-z0-9_/*?]{1,192}$",
    |text| text.strip_prefix("event/").or_else(|| text.strip_prefix("routing/")).is_some_and(|rest| {
        (1..=192).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_/*?".contains(&byte))
    }),
    str::to_owned
}

word! {
    /// A file on a machine, by its whole path. Nothing in it ends the quotes that it is sent in.
    pub(crate) FilePath, "a whole path of letters, digits, spaces and _.()+@-, such as /usr/bin/x or C:\\Windows\\x.exe", 2..=260,
    "^([A-Za-z]:)?([/\\\\][A-Za-z0-9_.()+@ -]+)+$", is_file_path, str::to_owned
}

fn is_file_path(text: &str) -> bool {
    let drive = text
        .split_at_checked(2)
        .filter(|(drive, _)| drive.ends_with(':') && drive.starts_with(|c: char| c.is_ascii_alphabetic()));
    let rest = drive.map_or(text, |(_, rest)| rest);
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.()+@ -".contains(&byte));
    rest.strip_prefix(['/', '\\']).is_some_and(|rest| rest.split(['/', '\\']).all(is_part))
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    const SID: &str = "bb4b30af-ff11-4ff4-836f-f014ada33345";

    #[test]
    fn ids_are_uuids_as_they_are_sent() {
        let bad = ["", "-", "bb4b30af", &SID.replace('-', "_"), &format!("{SID}/isolation"), &format!("{SID}\n"), "../who"];
        check::<Id>(&[SID], &bad, true);
        assert!(SID.to_uppercase().parse::<Id>().is_err());
    }

    #[test]
    fn names_are_what_a_grant_can_name() {
        let long = "x".repeat(65);
        let bad = ["", "-x", "_x", "a b", "a/b", "a,b", "*", "casemate-*", "é", "x\n", &long];
        check::<RuleName>(&["casemate-rundll", "A1_b"], &bad, true);
        check::<Tag>(&["yara-ok", "lab.1"], &bad, true);
        check::<HostPrefix>(&["web-", "WEB"], &["", "a b", "a*", &long], true);
        check::<Cursor>(&["eyJhIjoxfQ=="], &["", "a b", "a&limit=9"], true);
        check::<Category>(&["Lateral movement: RDP"], &["", " x", "a{b", "a\"b", "a\nb"], true);
        check::<Title>(&["rundll32 (odd parent) 1/2"], &["", "{{ .event }}", "a\"b", "a\\b", "-x", &"x".repeat(101)], true);
    }

    #[test]
    fn rules_name_events_and_places_in_them() {
        check::<Event>(&["NEW_PROCESS", "WEL"], &["", "N", "new_process", "_X", "NEW PROCESS", "A\"B"], true);
        check::<EventPath>(
            &["event/FILE_PATH", "routing/hostname", "event/*/HASH", "event/?/USER_NAME"],
            &[
                "",
                "event/",
                "detect/x",
                "FILE_PATH",
                "event/a b",
                "event/a\"",
                "event/{{x}}",
                &format!("event/{}", "x".repeat(193)),
            ],
            true,
        );
    }

    #[test]
    fn a_path_ends_no_quotes() {
        check::<FilePath>(
            &["/usr/bin/x", "C:\\Program Files (x86)\\a.exe", "c:/x", "\\x", "/a b/c"],
            &[
                "",
                "/",
                "x",
                "C:",
                "C:x",
                "/a//b",
                "/a\" --pid 1",
                "/a$(id)",
                "/a`id`",
                "/a;b",
                "/a*",
                "/a\nb",
                "/é",
                "\\\\host\\x",
                "CC:/x",
            ],
            true,
        );
    }
}
