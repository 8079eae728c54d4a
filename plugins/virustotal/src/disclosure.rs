//! What may be told to VirusTotal: public names and addresses, and none of the organisation's own.

use casemate_plugin::{
    Context, Failure,
    field::{DomainName, HttpUrl, IpAddress},
    public::{self, Host},
};
use serde::Deserialize;

/// The operator's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Domains that are the organisation's own; they and their subdomains are never looked up.
    #[serde(default)]
    internal_domains: Vec<String>,
}

/// Refuse an address that is not of the public Internet.
pub(crate) fn address(address: IpAddress) -> Result<(), Failure> {
    public::address(address.address()).map_err(|why| refusal(&address.to_string(), &why.to_string()))
}

/// Refuse a domain that is not of the public DNS, or that the operator keeps to the organisation.
pub(crate) fn domain(name: &DomainName, cx: &Context) -> Result<(), Failure> {
    public::domain(name).map_err(|why| refusal(name.as_str(), &why.to_string()))?;
    own(name.as_str(), cx)
}

/// Refuse a URL whose host is private.
pub(crate) fn url(url: &HttpUrl, cx: &Context) -> Result<(), Failure> {
    public::url(url).map_err(|why| refusal(&url.host().to_string(), &why.to_string()))?;
    match url.host() {
        Host::Name(name) => own(name, cx),
        Host::Address(_) => Ok(()),
    }
}

fn own(name: &str, cx: &Context) -> Result<(), Failure> {
    let Settings { internal_domains } = cx.settings()?;
    let is_below = |domain: &str| {
        let domain = domain.to_ascii_lowercase();
        name == domain || name.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'))
    };
    if internal_domains.iter().any(|domain| is_below(domain)) {
        return Err(refusal(name, "one of this organisation's internal domains"));
    }
    Ok(())
}

fn refusal(target: &str, why: &str) -> Failure {
    Failure::invalid_arguments(format!("`{target}` is not sent to VirusTotal: it is {why}"))
}
