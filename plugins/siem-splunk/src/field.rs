//! The words of Splunk's API.

use casemate_plugin::word;
use casemate_siem::spl;

word! {
    /// An index of events, by its exact name.
    pub(crate) IndexName, "an index's exact name: 1 to 80 small letters, digits, _ and -, beginning with a letter or digit", 1..=80,
    "^[a-z0-9][a-z0-9_-]{0,79}$", spl::is_index, str::to_owned
}

word! {
    /// What Splunk calls a search that somebody began: seconds, a number, and on clusters the member it runs on.
    pub(crate) SearchId, "a search's id, such as 1795312800.17", 3..=62, "^[0-9]{1,12}\\.[0-9]{1,12}(_[0-9A-Fa-f-]{36})?$", is_id,
    str::to_owned
}

fn is_id(text: &str) -> bool {
    let (id, member) = text.split_once('_').map_or((text, None), |(id, member)| (id, Some(member)));
    let is_number = |part: &str| (1..=12).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_member = |member: &str| member.len() == 36 && member.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    id.split_once('.').is_some_and(|(seconds, number)| is_number(seconds) && is_number(number)) && member.is_none_or(is_member)
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    #[test]
    fn indexes_and_searches() {
        let long = "a".repeat(81);
        let bad = ["", "*", "web*", "_internal", "Main", "a b", "a\"", "a,b", "a/b", "../x", "wеb", "-a", "web\n", &long];
        check::<IndexName>(&["main", "web", "auth-2", "os_linux", "0day"], &bad, true);
        let member = "1795312800.17_1A2B3C4D-0000-4000-8000-0123456789AB";
        let bad = [
            "",
            "1",
            "1.",
            ".1",
            "1.2.3",
            "scheduler__admin__search__x_at_1_2",
            "rt_1795312800.1",
            "1.2/control",
            "1.2_x",
            "1795312800.17\n",
        ];
        check::<SearchId>(&["1795312800.17", member], &bad, true);
    }
}
