//! The console's own files: one stylesheet, one script, one mark. They are in the program; nothing comes from elsewhere.

/// A file: its type, and its bytes.
pub(super) type Asset = (&'static str, &'static str);

/// The file of that name.
pub(super) fn find(name: &str) -> Option<Asset> {
    Some(match name {
        "console.css" => ("text/css; charset=utf-8", include_str!("asset/console.css")),
        "console.js" => ("text/javascript; charset=utf-8", include_str!("asset/console.js")),
        "mark.svg" => ("image/svg+xml", include_str!("asset/mark.svg")),
        _ => return None,
    })
}
