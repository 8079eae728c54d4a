//! What Caido is asked: whole documents, which plugin.toml names by their digests. tests/interop holds each against Caido's own schema.

/// An operation and its document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document {
    pub(crate) operation: &'static str,
    pub(crate) text: &'static str,
}

macro_rules! documents {
    ($($name:ident = $operation:literal in $file:literal;)+) => {
        $(pub(crate) const $name: Document =
            Document { operation: $operation, text: include_str!(concat!("documents/", $file, ".graphql")) };)+

        #[cfg(test)]
        const ALL: &[Document] = &[$($name),+];
    };
}

documents! {
    REQUESTS = "CasemateRequests" in "requests";
    REQUEST = "CasemateRequest" in "request";
    CREATE_SESSION_056 = "CasemateCreateSession056" in "create_session_056";
    CREATE_SESSION_057 = "CasemateCreateSession057" in "create_session_057";
    REPLAY_056 = "CasemateReplay056" in "replay_056";
    REPLAY_057 = "CasemateReplay057" in "replay_057";
    SESSION_056 = "CasemateSession056" in "session_056";
    SESSION_057 = "CasemateSession057" in "session_057";
    CREATE_FINDING = "CasemateCreateFinding" in "create_finding";
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use sha2::{Digest, Sha256};

    use super::*;

    /// Every document is one that the gate knows, under its operation's name, and there is no other.
    #[test]
    fn the_manifest_names_every_document_by_its_digest() {
        let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.toml")).unwrap();
        let contracts: Vec<&str> = manifest.split("[[upstream.caido.request]]").skip(1).collect();
        assert_eq!(contracts.len(), ALL.len());
        for (Document { operation, text }, contract) in ALL.iter().zip(contracts) {
            let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(
                contract.contains(&format!("require.body.\"/query\" = {{ sha256 = \"{digest}\" }}")),
                "{operation} is {digest}"
            );
            assert!(contract.contains(&format!("require.body.\"/operationName\" = \"{operation}\"")), "{operation}");
            assert!(text.contains(&format!(" {operation}(")), "{operation}");
        }
        let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/documents")).unwrap();
        assert_eq!(files.count(), ALL.len());
    }
}
