//! What can go wrong with any one request, whatever it was for.

use std::{error::Error, net::IpAddr, time::Duration};

use casemate_policy::address::Class;
use url::Url;

use crate::{authority::Authority, manifest::ManifestError, page::PageError, resolve::Prohibited, token::AuthError};

/// As much of a text that others wrote as stands in an error.
const SHOWN: usize = 80;

/// Why there is no answer, or none that is used.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// An address that may not be connected to. Nothing was sent.
    #[error(
        "`{host}` is at {address}, which is {class}\nhelp: if it really is there, list the network in `allow_private` of that host in the configuration"
    )]
    Address {
        /// Which host.
        host: String,
        /// Where it is.
        address: IpAddr,
        /// What kind of address that is.
        class: Class,
    },
    /// No connection. Nothing was sent.
    #[error(
        "no connection to `{host}`: {reason}\nhelp: check the name, the network, and that the registry's certificate is trusted"
    )]
    Unreachable {
        /// Which host.
        host: Authority,
        /// What the system says.
        reason: String,
    },
    /// The connection ended before the answer did.
    #[error("the answer of `{host}` broke off: {reason}\nhelp: try again")]
    Broken {
        /// Which host.
        host: Authority,
        /// What the connection says.
        reason: String,
    },
    /// Nothing came for too long.
    #[error("`{host}` was silent for {} seconds\nhelp: try again", .after.as_secs())]
    Stalled {
        /// Which host.
        host: Authority,
        /// How long.
        after: Duration,
    },
    /// All of it took too long.
    #[error("`{host}` did not finish within {} seconds\nhelp: try again, or raise the deadline in the configuration", .after.as_secs())]
    Deadline {
        /// Which host.
        host: Authority,
        /// How long.
        after: Duration,
    },
    /// Logging in.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// 401 or 403 with the credential there is.
    #[error("`{host}` refuses {what}\nhelp: check that the account may do this; `docker login {host}` renews a credential")]
    Denied {
        /// Which host.
        host: Authority,
        /// What was asked for.
        what: &'static str,
    },
    /// 404.
    #[error("`{host}` does not have {what}\nhelp: check the reference; some registries say this of what an account may not see")]
    NotFound {
        /// Which host.
        host: Authority,
        /// What was asked for.
        what: &'static str,
    },
    /// 429.
    #[error("`{host}` asks to be left alone for a while\nhelp: try again later, or log in")]
    Busy {
        /// Which host.
        host: Authority,
    },
    /// Any other status.
    #[error("`{host}` answered {status} when asked for {what}\nhelp: try again; ask the registry's operator if it stays so")]
    Status {
        /// Which host.
        host: Authority,
        /// The status.
        status: u16,
        /// What was asked for.
        what: &'static str,
    },
    /// A redirect where none is followed.
    #[error(
        "`{host}` points elsewhere for {what}\nhelp: only blobs may be elsewhere; name the registry that has the package itself"
    )]
    Redirected {
        /// Which host.
        host: Authority,
        /// What was asked for.
        what: &'static str,
    },
    /// A redirect to nowhere that can be understood.
    #[error("`{host}` points to no usable URL for {what}")]
    RedirectInvalid {
        /// Which host.
        host: Authority,
        /// What was asked for.
        what: &'static str,
    },
    /// A redirect to something other than HTTPS.
    #[error("`{host}` points to `{scheme}://{target}` for {what}, which is not HTTPS")]
    RedirectInsecure {
        /// Which host.
        host: Authority,
        /// Where it points.
        target: String,
        /// How.
        scheme: String,
        /// What was asked for.
        what: &'static str,
    },
    /// A redirect to a host that nobody listed.
    #[error(
        "`{host}` points to `{target}` for {what}\nhelp: if `{target}` keeps its blobs, list it in `redirects` of `{host}` in the configuration"
    )]
    RedirectHost {
        /// Which host.
        host: Authority,
        /// Where it points.
        target: Authority,
        /// What was asked for.
        what: &'static str,
    },
    /// Redirects without an end.
    #[error("`{host}` points from place to place for {what}")]
    RedirectLoop {
        /// Which host.
        host: Authority,
        /// What was asked for.
        what: &'static str,
    },
    /// Pages.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A document of the registry's.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Compressed, though none was asked for: its size says nothing.
    #[error("`{host}` sent {what} with a content encoding, which was not asked for")]
    Encoded {
        /// Which host.
        host: Authority,
        /// What was asked for.
        what: &'static str,
    },
    /// More bytes than are read.
    #[error("`{host}` sent more than {max} bytes as {what}")]
    TooLarge {
        /// Which host.
        host: Authority,
        /// What was asked for.
        what: &'static str,
        /// How many are read.
        max: u64,
    },
    /// Other than the length that was announced.
    #[error("`{host}` announced {announced} bytes as {what} and sent {}", outcome(*.sent, *.announced))]
    Length {
        /// Which host.
        host: Authority,
        /// What was asked for.
        what: &'static str,
        /// The descriptor's size.
        announced: u64,
        /// What came, or was about to.
        sent: u64,
    },
    /// Other bytes than were asked for.
    #[error(
        "`{host}` sent other bytes than {what} that was asked for by digest\nhelp: do not use this registry until its operator knows why"
    )]
    Digest {
        /// Which host.
        host: Authority,
        /// What was asked for.
        what: &'static str,
    },
}

fn outcome(sent: u64, announced: u64) -> String {
    if sent > announced { "more".to_owned() } else { sent.to_string() }
}

impl RequestError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "address-refused",
            Self::Unreachable { .. } => "unreachable",
            Self::Broken { .. } => "answer-broken",
            Self::Stalled { .. } => "stalled",
            Self::Deadline { .. } => "deadline",
            Self::Auth(error) => error.code(),
            Self::Denied { .. } => "denied",
            Self::NotFound { .. } => "not-found",
            Self::Busy { .. } => "rate-limited",
            Self::Status { .. } => "status",
            Self::Redirected { .. } => "redirected",
            Self::RedirectInvalid { .. } => "redirect-invalid",
            Self::RedirectInsecure { .. } => "redirect-insecure",
            Self::RedirectHost { .. } => "redirect-host",
            Self::RedirectLoop { .. } => "redirect-loop",
            Self::Page(error) => error.code(),
            Self::Manifest(error) => error.code(),
            Self::Encoded { .. } => "content-encoding",
            Self::TooLarge { .. } => "too-large",
            Self::Length { .. } => "length-differs",
            Self::Digest { .. } => "digest-differs",
        }
    }

    pub(crate) fn prohibited(prohibited: Prohibited) -> Self {
        Self::Address { host: prohibited.host, address: prohibited.address, class: prohibited.class }
    }

    /// Whose fault a failed request is. The URL is taken out of the text: a signed one is a credential.
    pub(crate) fn of(error: reqwest::Error, host: &Authority) -> Self {
        let error = error.without_url();
        let mut source: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(cause) = source {
            if let Some(prohibited) = cause.downcast_ref::<Prohibited>() {
                return Self::prohibited(prohibited.clone());
            }
            source = cause.source();
        }
        let (host, reason) = (host.clone(), chain(&error));
        if error.is_connect() || error.is_builder() { Self::Unreachable { host, reason } } else { Self::Broken { host, reason } }
    }
}

pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A text that others wrote, short and without anything that a terminal would act on.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// A URL for people and logs: without the user, the password, the query and the fragment, any of which may be a credential. Where a
/// query or fragment was, `?…` stands; of what is no URL, its scheme alone is shown.
pub fn shown_url(text: &str) -> String {
    let Some((scheme, _)) = text.split_once("://") else { return shown(text) };
    let bare = Url::parse(text).ok().and_then(|url| {
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let more = if url.query().is_some() || url.fragment().is_some() { "?…" } else { "" };
        Some((format!("{}://{}{port}{}", url.scheme(), url.host_str()?, url.path()), more))
    });
    match bare {
        Some((bare, more)) => shown(&bare) + more,
        None => shown(scheme) + "://…",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_a_credential() {
        for (text, expected) in [
            ("https://lists.example/revoked.json", "https://lists.example/revoked.json"),
            ("https://lists.example:8443/a?token=secret", "https://lists.example:8443/a?…"),
            ("https://lists.example/a#secret", "https://lists.example/a?…"),
            ("https://me:secret@lists.example/a", "https://lists.example/a"),
            ("https://secret@lists.example/@scope/a", "https://lists.example/@scope/a"),
            ("https://me:sec@ret@lists.example/a", "https://lists.example/a"),
            ("oci://me:secret@ghcr.io/acme/plugin:1", "oci://ghcr.io/acme/plugin:1"),
            // Whoever wrote these meant a password, and no reader agrees where it ends.
            ("https://me:sec?ret@lists.example/a", "https://…"),
            ("https://me:sec/ret@lists.example/a", "https://…"),
            ("https://me:secret@", "https://…"),
            ("no URL", "no URL"),
        ] {
            assert_eq!(shown_url(text), expected, "{text}");
        }
    }
}
