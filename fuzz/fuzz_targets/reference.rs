//! References to packages in registries: one spelling each, and a host that has no second reading.

#![no_main]

use casemate_registry::Reference;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|text: &str| {
    // Most of what is found out is behind the scheme.
    let text = format!("oci://{text}");
    let Ok(reference) = text.parse::<Reference>() else { return };
    let written = reference.to_string();
    assert_eq!(written.parse().as_ref(), Ok(&reference), "{written}");
    // A URL made of it leads to that host and path, and nowhere else.
    let authority = reference.registry().to_string();
    let path = format!("/v2/{}/manifests/x", reference.repository());
    let url = Url::parse(&format!("https://{authority}{path}")).unwrap_or_else(|error| panic!("{error}: {authority}"));
    assert_eq!(url.host_str(), Some(reference.registry().host().as_str()));
    assert_eq!((url.path(), url.query(), url.fragment()), (path.as_str(), None, None));
    assert_eq!((url.username(), url.password()), ("", None));
});
