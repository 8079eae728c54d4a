//! The words of recorded requests.

use casemate_plugin::word;

word! {
    /// A recorded request and its response.
    pub(crate) FlowId, "a flow's id: a UUID in lower case", 36..=36, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    |text| text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    }),
    str::to_owned
}

word! {
    /// A method, as it is sent.
    pub(crate) MethodName, "a method in capital letters, such as GET", 1..=20, "^[A-Z]{1,20}$",
    |text| text.bytes().all(|byte| byte.is_ascii_uppercase()), str::to_owned
}

word! {
    /// A host, as a request names it: a name, an IPv4 address, or an IPv6 address without brackets.
    pub(crate) HostName, "a host name or an IP address", 1..=253, "^[A-Za-z0-9._:-]{1,253}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte)), str::to_ascii_lowercase
}

word! {
    /// A path without a query. Two slashes at its beginning would be a host to some servers.
    pub(crate) RequestPath, "a path that begins with one slash, without `?`, `#`, backslashes and spaces", 1..=2000,
    "^/([!\"$-.0->@-\\[\\]-~][!\"$->@-\\[\\]-~]*)?$",
    |text| text.starts_with('/') && !text.starts_with("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\".contains(&byte)),
    str::to_owned
}

word! {
    /// A parameter of a query.
    pub(crate) ParameterName, "a parameter's name: 1 to 100 letters, digits and -_.[]", 1..=100, "^[A-Za-z0-9_.\\[\\]-]{1,100}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.[]".contains(&byte)), str::to_owned
}

word! {
    /// The value of a header, or of a parameter of a query.
    pub(crate) Value, "up to 1000 visible ASCII characters and spaces", 0..=1000, "^[ -~]{0,1000}$",
    |text| text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), str::to_owned
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    #[test]
    fn ids_methods_and_hosts() {
        let id = "6c386939-a24c-4072-b140-869b3b664eb3";
        check::<FlowId>(&[id], &["", &id.to_uppercase(), &id[1..], &format!("{id}0"), "../options", &id.replace('-', "_")], true);
        check::<MethodName>(&["GET", "PROPFIND"], &["", "get", "GET ", "G-T", "GET\n"], true);
        check::<HostName>(&["example.com", "127.0.0.1", "::1", "a_b"], &["", "a/b", "a b", "a@b", "é"], true);
        assert_eq!("EXAMPLE.com".parse::<HostName>().map(|host| host.to_string()), Ok("example.com".to_owned()));
    }

    #[test]
    fn a_path_is_a_path_and_nothing_else() {
        let (longest, longer) = (format!("/{}", "x".repeat(1999)), format!("/{}", "x".repeat(2000)));
        check::<RequestPath>(
            &["/", "/a", "/a//b", "/a/../b", "/a%2f;x=1", "/\"<>'", &longest],
            &[
                "",
                "a",
                "//evil.example/x",
                "/a?b",
                "/a#b",
                "/\\evil",
                "/a\\b",
                "/a b",
                "/é",
                "/a\r\nX: y",
                "*",
                "http://x/",
                &longer,
            ],
            true,
        );
    }

    #[test]
    fn names_and_values_stay_on_their_line() {
        check::<ParameterName>(&["id", "user[0].name"], &["", "a b", "a=b", "a&b", "%69d", "é"], true);
        let long = "x".repeat(1001);
        check::<Value>(&["", "a b", "<script>"], &["a\r\nb", "a\tb", "é", "\u{7f}", &long], true);
    }
}
