//! `[http.oauth]`: whose tokens are believed, and what they have to confer.

use std::collections::{BTreeMap, BTreeSet};

use casemate_oauth::{Algorithm, Rules};
use casemate_policy::{PrincipalId, TokenScope, Window, approval::RoleName};
use casemate_registry::Authority;
use casemate_signing::manifest::Effect;
use toml::Spanned;
use url::Url;

use super::{Resolver, file};
use crate::identity::oauth::OAuthSettings;

/// What a token must confer where the operator says nothing.
const SCOPE: &str = "casemate";
/// How far clocks may differ where the operator says nothing, in seconds; and the most that may be said.
const CLOCK_SKEW: (u64, u64) = (60, 300);

impl Resolver<'_> {
    /// The section, and its part that is policy's: what scopes effects need.
    pub(super) fn oauth(&mut self, file: file::OAuth) -> (Option<OAuthSettings>, BTreeMap<Effect, TokenScope>) {
        let beside = self.path.parent().unwrap_or(std::path::Path::new("")).to_owned();
        let issuer = self.address(&file.issuer, "an issuer");
        let resource = self.address(&file.resource, "a resource");
        let keys = file.jwks.as_ref().and_then(|jwks| self.address(jwks, "a place of keys"));
        let scopes: BTreeSet<TokenScope> = match &file.scopes {
            Some(scopes) => scopes.iter().filter_map(|scope| self.form(scope)).collect(),
            None => SCOPE.parse().into_iter().collect(),
        };
        let algorithms: Vec<Algorithm> = match &file.algorithms {
            Some(algorithms) => algorithms.iter().filter_map(|algorithm| self.form(algorithm)).collect(),
            None => Algorithm::ALL.into(),
        };
        if file.algorithms.as_ref().is_some_and(Vec::is_empty) {
            self.fault(&file.issuer, "no token can be signed by no algorithm\nhelp: leave `algorithms` out, or name one");
        }
        let clock_skew = file.clock_skew.as_ref().map_or(CLOCK_SKEW.0, |skew| self.clock_skew(skew));
        let roles_claim = file.roles_claim.as_ref().and_then(|claim| self.form(claim));
        let roles: BTreeMap<RoleName, BTreeSet<String>> =
            file.roles.iter().filter_map(|(role, values)| Some((self.form(role)?, values.clone()))).collect();
        match (&file.roles_claim, file.roles.keys().next()) {
            (Some(claim), None) => {
                self.fault(claim, "no role is made of the claim\nhelp: roles = { soc = [\"a value of it\"] }");
            }
            (None, Some(role)) => {
                self.fault(role, "it is not said where a token has its roles\nhelp: roles_claim = \"groups\"");
            }
            _ => {}
        }
        let step_up: BTreeMap<Effect, TokenScope> =
            file.step_up.iter().filter_map(|(effect, scope)| Some((*effect, self.form(scope)?))).collect();
        let (allow_private, ca) = (self.networks(&file.allow_private), file.ca.map(|ca| beside.join(ca)));
        let (Some(issuer), Some(resource)) = (issuer, resource) else { return (None, step_up) };
        let offered: BTreeSet<TokenScope> = scopes.iter().chain(step_up.values()).cloned().collect();
        let rules = Rules {
            // As they are written, not as `Url` would write them: both are compared byte by byte.
            issuer: file.issuer.into_inner(),
            resource: file.resource.into_inner(),
            algorithms,
            clock_skew,
            scopes,
            roles_claim,
            roles,
        };
        let scopes = offered.into_iter().collect();
        (Some(OAuthSettings { rules, issuer, resource, keys, allow_private, ca, scopes }), step_up)
    }

    /// An absolute address: `https`, or `http` on this machine, with nothing in it that makes two spellings of one place.
    pub(super) fn address(&mut self, text: &Spanned<String>, what: &str) -> Option<Url> {
        let url = Url::parse(text.get_ref()).ok().filter(|url| {
            let loopback = match url.host() {
                Some(url::Host::Domain(name)) => name == "localhost",
                Some(url::Host::Ipv4(address)) => address.is_loopback(),
                Some(url::Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            };
            let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
            scheme
                && Authority::of(url).is_some()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if url.is_none() {
            self.fault(
                text,
                &format!(
                    "`{}` is not {what}\nhelp: https://HOST/PATH, without a user, `?` and `#`; http only from this machine",
                    text.get_ref().escape_debug()
                ),
            );
        }
        url
    }

    fn clock_skew(&mut self, skew: &Spanned<String>) -> u64 {
        let Some(window) = self.form::<Window>(skew) else { return CLOCK_SKEW.0 };
        let seconds = window.as_millis() / 1000;
        if seconds > CLOCK_SKEW.1 {
            self.fault(
                skew,
                &format!("expired tokens would be good for {window}\nhelp: at most {}s; keep the clocks right", CLOCK_SKEW.1),
            );
        }
        seconds
    }

    /// Who holds a grant. What could be nobody's name is a mistake.
    pub(super) fn holder(&mut self, text: &Spanned<String>) -> Option<PrincipalId> {
        let principal: PrincipalId = self.form(text)?;
        let name = principal.as_str();
        if let Some(role) = name.strip_prefix("role:") {
            let role = Spanned::new(text.span(), role.to_owned());
            return self.form::<RoleName>(&role).map(|_| principal);
        }
        let known = ["oidc:sub:", "oidc:client:"].iter().any(|kind| name.len() > kind.len() && name.starts_with(kind));
        if name.starts_with("oidc:") && !known {
            self.fault(
                text,
                &format!("`{name}` is nobody\nhelp: `oidc:sub:SUBJECT` is a person, `oidc:client:CLIENT` a program"),
            );
            return None;
        }
        Some(principal)
    }

    fn fault(&mut self, at: &Spanned<String>, fault: &str) {
        let place = self.place(at.span());
        self.faults.push(format!("{place}: {fault}"));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::Path;

    use casemate_signing::manifest::Effect;

    use crate::config::Config;

    fn parse(oauth: &str) -> Result<Config, String> {
        let text = format!("environment = \"prod\"\n[http.oauth]\n{oauth}");
        Config::parse(Path::new("casemate.toml"), &text).map_err(|error| error.to_string())
    }

    const GOOD: &str = "issuer = \"https://as.example/realms/soc\"\nresource = \"https://casemate.example/mcp\"\n";

    #[test]
    fn a_section_is_resolved_with_defaults() {
        let config = parse(GOOD).unwrap();
        let rules = &config.http.oauth.as_ref().unwrap().rules;
        assert_eq!((rules.issuer.as_str(), rules.clock_skew), ("https://as.example/realms/soc", 60));
        assert_eq!((rules.algorithms.len(), rules.scopes.first().unwrap().as_str()), (3, "casemate"));
        let more = format!(
            "{GOOD}scopes = []\nclock_skew = \"5s\"\nalgorithms = [\"ES256\"]\nroles_claim = \"groups\"\nroles = {{ soc = [\"SOC analysts\"] }}\n\
             step_up = {{ write = \"casemate.write\", destructive = \"casemate.destroy\" }}\n"
        );
        let config = parse(&more).unwrap();
        let oauth = config.http.oauth.unwrap();
        assert_eq!((oauth.rules.clock_skew, oauth.rules.algorithms.len(), oauth.rules.roles.len()), (5, 1, 1));
        assert_eq!(config.guards.step_up.get(&Effect::Write).unwrap().as_str(), "casemate.write");
        assert_eq!(oauth.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(), ["casemate.destroy", "casemate.write"]);
        assert!(parse("issuer = \"http://127.0.0.1:8080\"\nresource = \"http://localhost/mcp\"").is_ok());
    }

    #[test]
    fn what_would_weaken_it_or_says_nothing_is_refused() {
        for (line, says) in [
            ("clock_skew = \"301s\"", "at most 300s"),
            ("algorithms = [\"HS256\"]", "`HS256` is not an algorithm"),
            ("algorithms = [\"none\"]", "`none` is not an algorithm"),
            ("algorithms = []", "no algorithm"),
            ("scopes = [\"a b\"]", "token scope"),
            ("roles_claim = \"groups\"", "no role is made of the claim"),
            ("roles = { soc = [\"x\"] }", "roles_claim"),
            ("roles_claim = \"scope\"\nroles = { soc = [\"x\"] }", "names no claim"),
            ("jwks = \"http://as.example/jwks\"", "is not a place of keys"),
            ("step_up = { wirte = \"x\" }", "wirte"),
            ("audience = \"x\"", "audience"),
            ("allow_private = [\"10.0.0.0\"]", "is not a network"),
        ] {
            let fault = parse(&format!("{GOOD}{line}\n")).unwrap_err();
            assert!(fault.contains(says), "{line}: {fault}");
        }
        for issuer in [
            "http://as.example",
            "https://u:p@as.example",
            "https://as.example?x",
            "https://as.example#x",
            "as.example",
            "file:///x",
        ] {
            let fault = parse(&format!("issuer = \"{issuer}\"\nresource = \"https://casemate.example/mcp\"")).unwrap_err();
            assert!(fault.contains("is not an issuer") && fault.contains("casemate.toml:3"), "{fault}");
        }
    }

    #[test]
    fn a_grant_is_held_by_somebody_there_can_be() {
        let grant = |who: &str| {
            Config::parse(
                Path::new("casemate.toml"),
                &format!("environment = \"dev\"\n[grants.a]\nprincipals = [\"{who}\"]\ntools = [\"x\"]\nmax_effect = \"read\""),
            )
            .map(drop)
            .map_err(|error| error.to_string())
        };
        for good in ["local", "token:ci", "oidc:sub:alice", "oidc:client:console", "role:soc"] {
            assert_eq!(grant(good), Ok(()), "{good}");
        }
        for bad in ["oidc:alice", "oidc:sub:", "role:SOC", "role:"] {
            assert!(grant(bad).is_err(), "{bad}");
        }
    }
}
