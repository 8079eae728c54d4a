//! The words of Slack's API.

use casemate_plugin::word;

word! {
    /// A channel, a private channel or a direct message.
    pub(crate) ChannelId, "a channel's id, such as C024BE91L: C, G or D, then 8 to 20 capital letters and digits", 9..=21,
    "^[CDG][A-Z0-9]{8,20}$",
    |text| text.starts_with(['C', 'D', 'G']) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()),
    str::to_owned
}

word! {
    /// A message, by when it was sent.
    pub(crate) MessageTs, "a message's time, such as 1730800000.000200", 17..=17, "^[0-9]{10}\\.[0-9]{6}$",
    |text| text.bytes().enumerate().all(|(at, byte)| if at == 10 { byte == b'.' } else { byte.is_ascii_digit() }),
    str::to_owned
}

word! {
    /// Where a list goes on.
    pub(crate) Cursor, "a cursor: 1 to 200 letters, digits and =_-", 1..=200, "^[A-Za-z0-9=_-]{1,200}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=_-".contains(&byte)), str::to_owned
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    #[test]
    fn ids_times_and_cursors() {
        let long = format!("C{}", "A".repeat(21));
        let bad = [
            "",
            "C",
            "general",
            "#general",
            "C024BE9",
            "c024be91l",
            "U024BE91L",
            "W024BE91L",
            "C024BE91L\n",
            "C024BE91L,C1",
            &long,
        ];
        check::<ChannelId>(&["C024BE91L", "G01ABCDEFGH", "D0123456789"], &bad, true);
        check::<MessageTs>(
            &["1730800000.000200"],
            &["", "1730800000", "1730800000.2", "now", "1730800000,000200", "-730800000.000200", "1730800000.00020x"],
            true,
        );
        check::<Cursor>(&["dGVhbTpDMDYxRkE1UEI="], &["", "a b", "a&limit=1", "a/b"], true);
    }
}
