//! Which of the signatures that a registry lists for a package become its signature file.
//!
//! Whoever may push to a repository may attach anything to a package in it, and must not be able to keep the package away by that. So
//! what cannot be read, what nobody who is enrolled signed, and what was signed over something else is left out, and said. Nothing
//! counts for being left in: the package is verified afterwards, as any other. A bundle in the name of an enrolled key that the key did
//! not sign is not left out: it refuses the package, for somebody forged a signature.
//!
//! A file that somebody has on disk is not chosen from: every bundle in it was put there on purpose.

use std::collections::{BTreeMap, BTreeSet};

use casemate_registry::LeftOut;
use casemate_signing::{
    Digest, TrustStore,
    bundle::{self, Bundle},
    key::Fingerprint,
    statement,
};

/// A signature file, and what was left out of it, each in one line.
pub(super) struct Chosen {
    pub(super) file: Vec<u8>,
    pub(super) left_out: Vec<String>,
}

/// Signatures over one statement about the component.
#[derive(Default)]
struct Over {
    /// Who signed it and may.
    signers: BTreeSet<Fingerprint>,
    release: u64,
    bundles: Vec<Bundle>,
}

/// Choose from what is attached to `component`.
pub(super) fn choose(attached: Vec<Vec<u8>>, already: &[LeftOut], component: &[u8], trust: &TrustStore) -> Chosen {
    let mut left_out: Vec<String> = already.iter().map(|one| format!("{}: {}", one.manifest, one.reason)).collect();
    let mut leave_out = |file: &[u8], why: &str| left_out.push(format!("{}: {why}", Digest::of(file)));
    let (mut forged, mut strangers, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
    let mut statements: BTreeMap<Vec<u8>, Over> = BTreeMap::new();
    let hash = Digest::of(component).to_hex();
    for file in &attached {
        let bundle = match Bundle::parse(file) {
            Ok(bundle) => bundle,
            Err(error) => {
                leave_out(file, &format!("bundle-invalid: {}", first_line(&error)));
                continue;
            }
        };
        let hint = *bundle.hint();
        let Some((publisher, owner, enrolled)) = trust.find(&hint) else {
            leave_out(file, &format!("key-unknown: signed by {hint}, which is not enrolled"));
            strangers.push(bundle);
            continue;
        };
        if enrolled.key().verify_strict(&bundle.signed_bytes(), bundle.signature()).is_err() {
            forged.push(bundle);
            continue;
        }
        // Verified, so it may be read. What cannot be is its publisher's own fault, and refuses the package.
        let manifest = statement::parse(bundle.payload()).ok();
        if let Some(manifest) = &manifest {
            if manifest.component.sha256 != hash {
                leave_out(file, &format!("component-digest-differs: signed by {hint} over another component"));
                continue;
            }
            if !owner.owns(&manifest.id()) {
                leave_out(
                    file,
                    &format!("name-not-owned: signed by {hint} of `{publisher}`, to whom `{}` does not belong", manifest.id()),
                );
                foreign.push(bundle);
                continue;
            }
        }
        let over = statements.entry(bundle.payload().to_vec()).or_default();
        over.release = manifest.map_or(0, |manifest| manifest.plugin.release);
        if enrolled.releases() && !enrolled.is_revoked() {
            over.signers.insert(hint);
        }
        over.bundles.push(bundle);
    }
    // Two statements about one component are two releases of it. Most signers first: one stolen key does not speak for several.
    let best = statements.values().map(|over| (over.signers.len(), over.release)).max();
    let mut good: Vec<Bundle> = Vec::new();
    for over in statements.into_values() {
        if good.is_empty() && Some((over.signers.len(), over.release)) == best {
            good = over.bundles;
            continue;
        }
        for bundle in over.bundles {
            let (statement, key) = (Digest::of(bundle.payload()), bundle.hint());
            left_out.push(format!("{statement}: release-other: signed by {key} over another release"));
        }
    }
    let file = match [forged, good, foreign, strangers].into_iter().find(|bundles| !bundles.is_empty()) {
        // As it was sent, where it is all there is.
        Some(bundles) if bundles.len() == 1 && attached.len() == 1 => attached.concat(),
        Some(bundles) => bundle::to_lines(&bundles).into_bytes(),
        None => attached.into_iter().next().unwrap_or_default(),
    };
    Chosen { file, left_out }
}

fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use casemate_signing::{
        Environment, Timestamp, Untrusted,
        key::PrivateKey,
        manifest::{ComponentFacts, Manifest},
        source::{PluginToml, assemble, parse_description},
        trust::{Enrolment, Namespace},
    };

    use super::*;

    const COMPONENT: &[u8] = b"a component, as far as a signature can tell";
    const ANOTHER: &[u8] = b"another one, as far as a signature can tell";

    /// A trust store of `fortress`, with the keys of seed 1 and 2, and `mirage`, with that of seed 5.
    fn trust() -> TrustStore {
        let mut store = TrustStore::new();
        for (publisher, seed) in [("fortress", 1), ("fortress", 2), ("mirage", 5)] {
            let publisher: casemate_signing::manifest::PublisherName = publisher.parse().unwrap();
            let key = key(seed).public_key();
            let namespaces = [Namespace::all(publisher.clone())].into();
            let environments = [Environment::Dev].into();
            store.enrol(Enrolment { publisher, namespaces, fingerprint: key.fingerprint(), key, environments }).unwrap();
        }
        store
    }

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from_seed(&[seed; 32])
    }

    fn manifest(component: &[u8], release: i64) -> Manifest {
        let mut text: toml::Table = include_str!("../../../../tests/guests/plugin.toml").parse().unwrap();
        text.get_mut("plugin").unwrap().as_table_mut().unwrap().insert("release".to_owned(), release.into());
        let source = PluginToml::parse(&toml::to_string(&text).unwrap()).unwrap();
        let described = parse_description(include_bytes!("../../../../tests/guests/tools.json")).unwrap();
        let facts = ComponentFacts { sha256: Digest::of(component).to_hex(), size: component.len() as u64 };
        assemble(&source, &described, facts, [].into(), "casemate:plugin@0.1.0".to_owned()).unwrap()
    }

    fn over(component: &[u8], release: i64, seed: u8) -> Vec<u8> {
        Bundle::sign(statement::to_bytes(&manifest(component, release)), &key(seed)).to_json().into_bytes()
    }

    /// Signed by a publisher's key: release 3 of this component.
    fn good(seed: u8) -> Vec<u8> {
        over(COMPONENT, 3, seed)
    }

    /// In the name of one key, with the signature of another.
    fn forged(of: u8, by: u8) -> Vec<u8> {
        let text = String::from_utf8(good(by)).unwrap();
        text.replace(&key(by).public_key().fingerprint().to_string(), &key(of).public_key().fingerprint().to_string())
            .into_bytes()
    }

    /// What verification says of what was chosen, and the codes of what was left out.
    #[track_caller]
    fn check(attached: &[Vec<u8>], expected: &str, codes: &[&str]) {
        for turned in [false, true] {
            let mut attached = attached.to_vec();
            if turned {
                attached.reverse();
            }
            let chosen = choose(attached, &[], COMPONENT, &trust());
            let verified =
                Untrusted::new(COMPONENT.to_vec(), chosen.file).verify(&trust(), Environment::Dev, Timestamp::from_millis(0));
            assert_eq!(verified.map_or_else(|error| error.code(), |_| "ok"), expected, "turned {turned}");
            let mut found: Vec<&str> = chosen.left_out.iter().filter_map(|line| line.split(": ").nth(1)).collect();
            found.sort_unstable();
            assert_eq!(found, codes, "turned {turned}: {:?}", chosen.left_out);
        }
    }

    #[test]
    fn what_a_stranger_attached_is_left_out() {
        check(&[good(1)], "ok", &[]);
        check(&[good(1), good(2)], "ok", &[]);
        check(&[good(1), b"no JSON".to_vec(), b"{}".to_vec()], "ok", &["bundle-invalid", "bundle-invalid"]);
        check(&[good(1), [good(2), good(1)].join(&b'\n')], "ok", &["bundle-invalid"]);
        check(&[good(1), good(9)], "ok", &["key-unknown"]);
        check(&[good(1), over(ANOTHER, 3, 9)], "ok", &["key-unknown"]);
        check(&[good(1), good(5)], "ok", &["name-not-owned"]);
        let many: Vec<Vec<u8>> = (20..60).map(good).chain([good(1)]).collect();
        check(&many, "ok", &["key-unknown"; 40]);
    }

    #[test]
    fn what_the_publisher_signed_elsewhere_is_left_out() {
        check(&[good(1), over(ANOTHER, 4, 1)], "ok", &["component-digest-differs"]);
        // The same component in two releases: what more of the publisher's keys signed, and of those the newer one.
        check(&[good(1), over(COMPONENT, 2, 1)], "ok", &["release-other"]);
        check(&[good(1), good(2), over(COMPONENT, 9, 1)], "ok", &["release-other"]);
        let chosen = choose(vec![over(COMPONENT, 2, 1), good(1)], &[], COMPONENT, &trust());
        assert_eq!(chosen.file, [good(1), b"\n".to_vec()].concat());
        // A key that was taken back has no say in which.
        let mut trust = trust();
        trust.revoke(&key(2).public_key().fingerprint()).unwrap();
        let chosen = choose(vec![good(1), over(COMPONENT, 9, 2)], &[], COMPONENT, &trust);
        assert_eq!(chosen.file, [good(1), b"\n".to_vec()].concat());
    }

    #[test]
    fn a_forged_signature_in_an_enrolled_name_refuses_the_package() {
        check(&[forged(1, 9)], "signature-invalid", &[]);
        check(&[good(1), forged(2, 9)], "signature-invalid", &[]);
        check(&[good(1), forged(1, 2), b"{}".to_vec()], "signature-invalid", &["bundle-invalid"]);
    }

    #[test]
    fn where_nothing_is_left_the_package_is_refused_for_what_there_is() {
        check(&[good(9)], "key-unknown", &["key-unknown"]);
        check(&[b"{}".to_vec()], "bundle-invalid", &["bundle-invalid"]);
        check(&[good(5), good(9)], "name-not-owned", &["key-unknown", "name-not-owned"]);
        check(&[over(ANOTHER, 3, 1)], "component-digest-differs", &["component-digest-differs"]);
        check(&[], "bundle-invalid", &[]);
    }

    #[test]
    fn one_signature_stays_as_it_was_sent() {
        let spaced = [b" \n".to_vec(), good(1), b"\n".to_vec()].concat();
        assert_eq!(choose(vec![spaced.clone()], &[], COMPONENT, &trust()).file, spaced);
    }

    #[test]
    fn what_the_registry_left_out_is_said_too() {
        let already = LeftOut { manifest: Digest::of(b"x"), reason: "signature-type: it is no bundle".to_owned() };
        let left_out = choose(vec![good(1)], &[already], COMPONENT, &trust()).left_out;
        assert_eq!(left_out, [format!("{}: signature-type: it is no bundle", Digest::of(b"x"))]);
    }
}
