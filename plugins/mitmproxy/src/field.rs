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
}
