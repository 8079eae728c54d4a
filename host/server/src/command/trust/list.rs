//! `casemate trust list`: one line a key.

use casemate_signing::trust::TrustStore;

use super::{
    super::{Context, print},
    join,
};

pub(super) fn run(trust: &TrustStore, context: &Context) {
    print::result(context.format, || text(trust), || json(trust));
}

struct Row {
    publisher: String,
    names: String,
    environments: String,
    fingerprint: String,
    revoked: bool,
}

fn rows(trust: &TrustStore) -> Vec<Row> {
    trust
        .publishers()
        .iter()
        .flat_map(|(publisher, known)| {
            known.keys().iter().map(move |(fingerprint, key)| Row {
                publisher: publisher.to_string(),
                names: join(known.namespaces().iter()),
                environments: join(key.environments().iter()),
                fingerprint: fingerprint.to_string(),
                revoked: key.is_revoked(),
            })
        })
        .collect()
}

fn text(trust: &TrustStore) -> String {
    let head = ["PUBLISHER", "NAMES", "ENVIRONMENTS", "KEY", ""].map(str::to_owned).to_vec();
    let row = |row: Row| {
        vec![
            row.publisher,
            row.names,
            row.environments,
            row.fingerprint,
            if row.revoked { "revoked".to_owned() } else { String::new() },
        ]
    };
    print::table(&std::iter::once(head).chain(rows(trust).into_iter().map(row)).collect::<Vec<_>>())
}

fn json(trust: &TrustStore) -> serde_json::Value {
    rows(trust)
        .into_iter()
        .map(|row| serde_json::json!({ "publisher": row.publisher, "names": row.names, "environments": row.environments, "fingerprint": row.fingerprint, "revoked": row.revoked }))
        .collect()
}
