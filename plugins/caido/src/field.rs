//! The words of Caido's API.

use casemate_plugin::word;

word! {
    /// A recorded request.
    pub(crate) RequestId, "a request's id: 1 to 18 digits", 1..=18, "^[0-9]{1,18}$",
    |text| text.bytes().all(|byte| byte.is_ascii_digit()), str::to_owned
}

word! {
    /// Where a list goes on.
    pub(crate) Cursor, "a cursor: 1 to 200 letters, digits and +/=_-", 1..=200, "^[A-Za-z0-9+/=_-]{1,200}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte)), str::to_owned
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    #[test]
    fn ids_and_cursors() {
        check::<RequestId>(&["0", "17", &"9".repeat(18)], &["", "a", "-1", "1.0", "1\n", &"9".repeat(19)], true);
        check::<Cursor>(&["YToxNw==", "a_b-c/+"], &["", "a b", "\"", &"a".repeat(201)], true);
    }
}
