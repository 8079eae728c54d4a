//! Media types, as far as it matters whether something is read as text.

/// Whether a media type is one, in lower case and without parameters.
pub fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

/// Whether what has this media type is text. HTML is text with scripts, and some clients would run them: it is read as nothing.
pub fn is_text(media_type: &str) -> bool {
    const ACTIVE: [&str; 4] = ["text/html", "application/xhtml+xml", "image/svg+xml", "text/javascript"];
    const TEXTS: [&str; 6] = [
        "application/json",
        "application/x-ndjson",
        "application/xml",
        "application/yaml",
        "application/toml",
        "application/sql",
    ];
    let is_text = media_type.starts_with("text/")
        || TEXTS.contains(&media_type)
        || media_type.starts_with("application/") && ["+json", "+xml", "+yaml"].iter().any(|end| media_type.ends_with(end));
    is_media_type(media_type) && is_text && !ACTIVE.contains(&media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_known() {
        for text in ["text/plain", "text/markdown", "text/csv", "application/json", "application/stix+json"] {
            assert!(is_text(text), "{text}");
        }
        for other in [
            "",
            "text",
            "text/",
            "/plain",
            "TEXT/plain",
            "text/plain;charset=utf-8",
            "text/plain text",
            "text/html",
            "text/javascript",
            "application/xhtml+xml",
            "image/svg+xml",
            "image/png",
            "application/octet-stream",
            "application/json\n",
        ] {
            assert!(!is_text(other), "{other}");
        }
        assert!(is_media_type("application/octet-stream") && !is_media_type("application/Octet"));
    }
}
