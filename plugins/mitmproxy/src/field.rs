//! The words of recorded requests.

use casemate_plugin::word;
use schemars::JsonSchema;
use serde::Deserialize;

word! {
    /// A recorded request and its response.
    pub(crate) FlowId, "a flow's id: a UUID in lower case", 36..=36, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    |text| text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    }),
    str::to_owned
}

/// A method that requests have.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum MethodName {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl MethodName {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
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
    fn ids_and_hosts() {
        let id = "6c386939-a24c-4072-b140-869b3b664eb3";
        check::<FlowId>(&[id], &["", &id.to_uppercase(), &id[1..], &format!("{id}0"), "../options", &id.replace('-', "_")], true);
        check::<HostName>(&["example.com", "127.0.0.1", "::1", "a_b"], &["", "a/b", "a b", "a@b", "é"], true);
        assert_eq!("EXAMPLE.com".parse::<HostName>().map(|host| host.to_string()), Ok("example.com".to_owned()));
    }
}
