//! Names that look like others.

use super::{Lint, Warnings};
use crate::manifest::{Manifest, PluginId};

/// Two names this near are told apart by nobody in a hurry.
const NEAR: usize = 1;
/// Names shorter than this are near too many others.
const SHORT: usize = 4;

pub(super) fn check(manifest: &Manifest, neighbours: &[PluginId], warnings: &mut Warnings) {
    let PluginId { publisher, name } = manifest.id();
    for other in neighbours.iter().filter(|other| **other != manifest.id()) {
        if other.name == name {
            warnings.add(
                Lint::SimilarName,
                "plugin.name",
                format!("`{other}` has the same short name, and both cannot be installed"),
            );
        } else if alike(name.as_str(), other.name.as_str()) {
            warnings.add(Lint::SimilarName, "plugin.name", format!("`{name}` looks like `{other}`"));
        }
        if other.publisher != publisher && alike(publisher.as_str(), other.publisher.as_str()) {
            warnings.add(Lint::SimilarName, "plugin.publisher", format!("`{publisher}` looks like `{}`", other.publisher));
        }
    }
}

fn alike(a: &str, b: &str) -> bool {
    let long = a.len().min(b.len()) >= SHORT;
    a != b && (skeleton(a) == skeleton(b) || (long && strsim::damerau_levenshtein(a, b) <= NEAR))
}

/// What is left of a name in a hurry: letters that look alike are one, and hyphens are gone.
fn skeleton(name: &str) -> String {
    let joined = name.replace('-', "").replace("rn", "m").replace("vv", "w").replace("cl", "d");
    joined
        .chars()
        .map(|letter| match letter {
            '0' => 'o',
            '1' | 'i' => 'l',
            '5' => 's',
            '8' => 'b',
            '2' => 'z',
            'q' => 'g',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike() {
        for (a, b) in [
            ("splunk", "spiunk"),
            ("elastic", "elast1c"),
            ("internal", "intemal"),
            ("web-proxy", "webproxy"),
            ("sentinel", "sentinels"),
            ("a1", "al"),
            ("caido", "ciado"),
        ] {
            assert!(alike(a, b) && alike(b, a), "{a} {b}");
        }
        for (a, b) in [("splunk", "elastic"), ("vt", "vs"), ("web", "wed"), ("files", "file-server"), ("same", "same")] {
            assert!(!alike(a, b), "{a} {b}");
        }
    }
}
