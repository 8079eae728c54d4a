//! Whom a request is for: an upstream by its name in the manifest, or an origin that an upstream is bound to.

use std::fmt;

use casemate_signing::manifest::UpstreamName;

use super::{
    Origin,
    refusal::{Refusal, RefusalReason},
};

/// Whom a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Addressee {
    /// `https://NAME/…`: the plugin need not know where the operator put its upstream.
    Named(UpstreamName),
    /// `scheme://host[:port]`, as clients do that follow an absolute URL of the upstream's.
    At(Origin),
}

impl Addressee {
    /// Read scheme and authority. A name stands for the plugin's own upstream before any host of that name.
    pub(super) fn read<'a>(
        scheme: &str,
        authority: &str,
        mut upstreams: impl Iterator<Item = &'a UpstreamName>,
    ) -> Result<Self, Refusal> {
        if scheme == "https"
            && let Some(name) = upstreams.find(|name| name.as_str() == authority)
        {
            return Ok(Self::Named(name.clone()));
        }
        let malformed = |fault: super::OriginFault| Refusal::new(RefusalReason::OriginMalformed, fault.to_string());
        Origin::from_parts(scheme, authority).map(Self::At).map_err(malformed)
    }

    /// Whether it is the upstream of that name, at that origin.
    pub(super) fn is(&self, name: &UpstreamName, origin: &Origin) -> bool {
        match self {
            Self::Named(asked) => asked == name,
            Self::At(asked) => asked == origin,
        }
    }
}

impl fmt::Display for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "https://{name}"),
            Self::At(origin) => write!(f, "{origin}"),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(scheme: &str, authority: &str) -> Result<Addressee, RefusalReason> {
        let names: [UpstreamName; 2] = ["lab".parse().unwrap(), "mirror".parse().unwrap()];
        Addressee::read(scheme, authority, names.iter()).map_err(|refusal| refusal.reason())
    }

    #[test]
    fn a_name_is_an_upstream_under_https_and_nothing_else_is() {
        assert_eq!(read("https", "lab"), Ok(Addressee::Named("lab".parse().unwrap())));
        for (scheme, authority) in [("http", "lab"), ("https", "lab:443"), ("https", "lab.test"), ("https", "other")] {
            assert!(matches!(read(scheme, authority), Ok(Addressee::At(_))), "{scheme}://{authority}");
        }
        for (scheme, authority) in
            [("https", "LAB"), ("https", "lab."), ("https", "lab@mirror"), ("HTTPS", "lab"), ("", "lab"), ("https", "")]
        {
            assert_eq!(read(scheme, authority), Err(RefusalReason::OriginMalformed), "{scheme}://{authority}");
        }
    }

    #[test]
    fn two_upstreams_at_one_origin_are_told_apart_by_name() {
        let (lab, mirror): (UpstreamName, UpstreamName) = ("lab".parse().unwrap(), "mirror".parse().unwrap());
        let origin = Origin::parse("https://a.test").unwrap();
        let named = read("https", "lab").unwrap();
        assert!(named.is(&lab, &origin) && !named.is(&mirror, &origin));
        let at = read("https", "a.test").unwrap();
        assert!(at.is(&lab, &origin) && at.is(&mirror, &origin) && !at.is(&lab, &Origin::parse("http://a.test").unwrap()));
    }
}
