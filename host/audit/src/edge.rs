//! Where a segment begins: the log's state there, signed by the log itself, so that opening a long log need not read all of it.
//!
//! It vouches to nobody else: [`crate::verify`] never reads it.

use cap_std::fs::Dir;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::{Hash, Keys, OpenIntent, chain::Chain, checkpoint::origin, disk::Disk, file, merkle::Tree, note, segment};

/// A hundred bytes for each call that is under way, and more calls than that there are.
const MAX_FILE: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edge {
    size: u64,
    last: String,
    last_id: Option<String>,
    peaks: Vec<String>,
    open: Vec<Open>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    id: String,
    principal: String,
    tool: String,
}

/// The file of the state before the segment that begins with this record.
pub(crate) fn name(first: u64) -> String {
    format!("{first:020}.edge")
}

/// Who signs it: the key that is written with then.
fn signer(key: &ed25519_dalek::VerifyingKey) -> String {
    format!("{}/edge", origin(key))
}

/// Write the state before the segment that begins here, whole or not at all.
pub(crate) fn write(disk: &dyn Disk, dir: &Dir, chain: &Chain, key: &SigningKey) -> std::io::Result<()> {
    let edge = Edge {
        size: chain.size(),
        last: chain.last.to_string(),
        last_id: chain.last_id.map(|id| id.to_string()),
        peaks: chain.tree.peaks().iter().map(Hash::to_string).collect(),
        open: chain
            .open
            .iter()
            .map(|(id, open)| Open { id: id.to_string(), principal: open.principal_id.clone(), tool: open.tool_name.clone() })
            .collect(),
    };
    let text = serde_json::to_string(&edge)?;
    let note = note::sign(&format!("{text}\n"), &signer(&key.verifying_key()), key);
    disk.replace(dir, &name(chain.size()), note.as_bytes())?;
    disk.sync_dir(dir, ".")
}

/// The state before the last segment; none where it is not vouched for, and the log is read from its beginning.
pub(crate) fn last(dir: &Dir, keys: &Keys) -> Option<Chain> {
    let first = segment::list(dir).ok()?.last().copied().filter(|first| *first > 0)?;
    let note = file::text(dir, &name(first), MAX_FILE).ok()?;
    let (text, signatures) = note.split_once("\n\n")?;
    // After a handover the next file may begin at once, under the new key.
    let by = |key| note::is_signed(&format!("{text}\n"), signatures.lines(), &signer(key), key);
    if !by(keys.at(first)) && !by(keys.newest()) {
        return None;
    }
    let edge: Edge = serde_json::from_str(text).ok().filter(|edge: &Edge| edge.size == first)?;
    let hash = |hex: &str| Hash::from_hex(hex.as_bytes());
    let last_id = match edge.last_id {
        Some(id) => Some(id.parse().ok()?),
        None => None,
    };
    Some(Chain {
        tree: Tree::from_parts(edge.size, edge.peaks.iter().map(|peak| hash(peak)).collect::<Option<_>>()?)?,
        last: hash(&edge.last)?,
        last_id,
        open: edge
            .open
            .into_iter()
            .map(|open| Some((open.id.parse().ok()?, OpenIntent { principal_id: open.principal, tool_name: open.tool })))
            .collect::<Option<_>>()?,
    })
}
