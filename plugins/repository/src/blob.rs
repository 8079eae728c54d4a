//! Blobs: files as Git names them.

use sha1::{Digest, Sha1};

/// The id of a blob of these bytes: the SHA-1 of `blob`, the length and the bytes (gitformat-object, "Object storage format").
pub(crate) fn id(bytes: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    hasher
        .finalize()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::id;

    /// As `git hash-object` says.
    #[test]
    fn blobs_have_the_ids_that_git_gives_them() {
        assert_eq!(id(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(id(b"what is up, doc?"), "bd9dbf5aae1a3862dd1526723246b20206e5fc37");
    }
}
