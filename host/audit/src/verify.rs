//! Verification: what an outsider can say of a log with nothing but the folder and a public key.
//!
//! Every record is hashed, linked to the one before, and seen to be in its one canonical form; every checkpoint's signature and
//! root is checked, by the key that the log had then; so is every tile, and every detail file. What remains possible to whoever
//! can write to the folder: cutting off records that no checkpoint covers yet, and taking away the newest checkpoints together
//! with what they cover. A checkpoint kept elsewhere ([`Report::last_checkpoint`], in [`Trust::kept`]) closes the second, and
//! so does a witness.

use std::{collections::BTreeMap, io, time::Duration};

use cap_std::fs::Dir;
use ed25519_dalek::VerifyingKey;

use crate::{
    Checkpoint, CheckpointDamage, Cosignature, EventId, Failure, Hash, Keys, OpenIntent, Place, Torn, Witness, details,
    scan::{self, Depth, Signed},
    start::start,
    tlog::{self, Frontier, Tile, Tiles},
    witness,
};

/// What a log is held against.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// One of its keys, from any time; the others are followed from it.
    pub key: &'a VerifyingKey,
    /// Checkpoints kept elsewhere, which it must still hold. Open them with [`Checkpoint::open`].
    pub kept: &'a [Checkpoint],
    /// Witnesses, each of which must have cosigned it.
    pub witnesses: &'a [Witness],
}

/// A log in which nothing is wrong.
#[derive(Debug, Clone)]
pub struct Report {
    /// What it calls itself in its checkpoints.
    pub origin: Option<String>,
    /// How many records there are, those that were removed included.
    pub records: u64,
    /// How many of them, from the first on, were removed for their age and are known by their hashes.
    pub removed: u64,
    /// How many of them the last checkpoint covers.
    pub covered: u64,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// The last of them.
    pub last_checkpoint: Option<Checkpoint>,
    /// How many records the tiles cover.
    pub tiled: u64,
    /// How many calls have their full exchanges kept.
    pub details: u64,
    /// The keys that it was written with.
    pub keys: Keys,
    /// The largest checkpoint that each witness asked for has cosigned.
    pub cosigned: Vec<Cosignature>,
    /// Intents without an outcome: calls that are under way, or whose host stopped.
    pub unfinished: Vec<(EventId, OpenIntent)>,
    /// An unfinished end, as a crash leaves it; the next opening cuts it off and notes that.
    pub torn: Option<Torn>,
    /// Bytes of an unfinished checkpoint.
    pub torn_checkpoint: u64,
    /// Bytes of an unfinished handover to another key.
    pub torn_keys: u64,
    /// From the first record that no checkpoint covers to the last one.
    pub not_covered_for: Duration,
}

/// How far a check has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records that were checked.
    pub records: u64,
    /// Records that were signed for; there may be more.
    pub signed: u64,
}

/// Whoever watches is told after so many records.
const TOLD_EVERY: u64 = 4096;

impl Report {
    /// Records after the last checkpoint: linked to the rest, and not yet covered by a signature.
    pub fn not_yet_covered(&self) -> u64 {
        self.records.saturating_sub(self.covered)
    }
}

/// Check a log from its first byte to its last.
pub fn verify(dir: &Dir, key: &VerifyingKey) -> Result<Report, Failure> {
    verify_with(dir, Trust { key, kept: &[], witnesses: &[] })
}

/// Whether a checkpoint kept elsewhere is still among the log's own. Reads no records, so it is quick; [`verify_with`] looks
/// whether the records fit it.
pub fn holds(dir: &Dir, key: &VerifyingKey, kept: &Checkpoint) -> Result<(), Failure> {
    scan::holds(dir, &Keys::read(dir, key)??, kept)
}

/// The keys of a log, followed from one of them.
pub fn keys(dir: &Dir, key: &VerifyingKey) -> Result<Keys, Failure> {
    Ok(Keys::read(dir, key)??)
}

/// Check a log as [`verify`] does, and that it holds what others say of it.
pub fn verify_with(dir: &Dir, trust: Trust<'_>) -> Result<Report, Failure> {
    verify_watched(dir, trust, &mut |_| {})
}

/// The same, for somebody who wants to know how far it has come.
pub fn verify_watched(dir: &Dir, trust: Trust<'_>, watch: &mut dyn FnMut(Progress)) -> Result<Report, Failure> {
    let keys = Keys::read(dir, trust.key)??;
    let published = published(dir)?;
    let found = scan::checkpoints(dir, &keys, 0)?;
    let witnessed = witness::kept(dir, &keys, trust.witnesses)?;
    let mut signed = found.signed.clone();
    // Line 0 stands for a checkpoint that is not in the file.
    let elsewhere = trust.kept.iter().chain(&witnessed.checkpoints);
    signed.extend(elsewhere.map(|checkpoint| Signed { line: 0, checkpoint: checkpoint.clone() }));
    signed.sort_by_key(|signed| signed.checkpoint.size);
    let last_checkpoint = found.signed.last().map(|signed| signed.checkpoint.clone());
    let covered = last_checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);

    let mut tiling = Tiling::of(dir, &keys, published.as_deref(), &found.signed);
    let chain = start(dir, &signed, &mut |hash| Ok(tiling.take(hash)?))?;
    let first = chain.size();
    let (mut removed, mut named, mut loss, mut with_details) = (0, BTreeMap::new(), None, 0);
    let mut not_covered = None::<(u64, u64)>;
    let scan = scan::scan(dir, chain, &signed, (Depth::Canonical, None), &mut |place, record| {
        tiling.take(&record.hash)?;
        if place.record % TOLD_EVERY == 0 {
            watch(Progress { records: place.record, signed: covered });
        }
        if place.record >= covered {
            let now = record.id.millis();
            not_covered = Some((not_covered.map_or(now, |(since, _)| since), now));
        }
        // Only what is signed for lets anything be missing.
        if let Some(before) = record.removed.filter(|_| place.record < covered) {
            removed = removed.max(before);
        }
        if let Some(key) = record.new_key {
            named.insert(place.record, key);
        }
        if let (Some(intent), Some(digest)) = (record.ends, record.details) {
            with_details += 1;
            if let Some(cause) = wrong(dir, intent, &digest)? {
                // Of all that is lost, the last is told: earlier ones may have been removed.
                loss = Some((place.clone(), cause));
            }
        }
        Ok(())
    })?;
    if first > removed {
        return Err(Failure::Gap { expected: 0, found: crate::segment::name(first) });
    }
    if let Some((place, cause)) = loss.filter(|(place, _): &(Place, _)| place.record >= removed) {
        return Err(Failure::Details { place, cause });
    }
    let unnamed = keys.handovers().iter().find(|handover| {
        let record = handover.size.saturating_sub(1);
        record >= first && named.get(&record) != Some(&Hash::from_bytes(*handover.key.as_bytes()))
    });
    if let Some(handover) = unnamed {
        return Err(Failure::Handover { record: handover.size.saturating_sub(1) });
    }
    // What is wrong with the records says more, and shows in the tiles as well.
    if let Some(wrong) = tiling.wrong {
        return Err(wrong);
    }
    Ok(Report {
        origin: last_checkpoint.as_ref().map(|checkpoint| checkpoint.origin.clone()),
        records: scan.chain.size(),
        removed: first,
        covered,
        checkpoints: found.signed.len() as u64,
        last_checkpoint,
        tiled: tiling.size,
        details: with_details,
        keys,
        cosigned: witnessed.newest,
        unfinished: scan.chain.open.into_iter().collect(),
        torn: scan.torn,
        torn_checkpoint: found.torn,
        torn_keys: crate::keys::torn(dir)?,
        not_covered_for: Duration::from_millis(not_covered.map_or(0, |(since, until)| until.saturating_sub(since))),
    })
}

/// The published checkpoint's text, if there is one; one that is no text is no checkpoint.
fn published(dir: &Dir) -> io::Result<Option<String>> {
    Ok(tlog::bytes(dir, tlog::CHECKPOINT)?.map(|bytes| String::from_utf8(bytes).unwrap_or_default()))
}

/// What is wrong with the details of an intent.
fn wrong(dir: &Dir, intent: EventId, digest: &Hash) -> Result<Option<&'static str>, Failure> {
    Ok(match details::bytes(dir, intent)? {
        None => Some("are missing"),
        Some(bytes) if Hash::of(&[&bytes]) != *digest => Some("were changed"),
        Some(_) => None,
    })
}

/// Makes the tiles from the records once more, and compares.
struct Tiling<'d> {
    tiles: Tiles<'d>,
    size: u64,
    frontier: Frontier,
    /// The first that is wrong.
    wrong: Option<Failure>,
}

impl<'d> Tiling<'d> {
    /// `note` is what is published, read before the log's own checkpoints were: a running host publishes what it has signed.
    fn of(dir: &'d Dir, keys: &Keys, note: Option<&str>, signed: &[Signed]) -> Self {
        let wrong = |cause| Some(Failure::Tile { path: tlog::CHECKPOINT.to_owned(), cause });
        let (size, wrong) = match note.map(|note| Checkpoint::open(note, keys)) {
            None => (0, None),
            Some(Err(CheckpointDamage::Shape)) => (0, wrong("is not a checkpoint")),
            Some(Err(_)) => (0, wrong("is not signed by this log's key")),
            Some(Ok(published)) if signed.iter().any(|signed| signed.checkpoint == published) => (published.size, None),
            // The log has signed it, and it is gone from where the log keeps them.
            Some(Ok(published)) => {
                let left = signed.last().map_or(0, |signed| signed.checkpoint.size);
                (0, Some(Failure::Withdrawn { signed: published.size, left }))
            }
        };
        Self { tiles: Tiles::new(dir, size), size, frontier: Frontier::default(), wrong }
    }

    /// The next record's hash.
    fn take(&mut self, hash: &Hash) -> io::Result<()> {
        let Self { tiles, frontier, size, wrong } = self;
        if frontier.size() >= *size || wrong.is_some() {
            return Ok(());
        }
        frontier.push(hash, &mut |tile, bytes| compare(tiles, tile, bytes, wrong))?;
        if frontier.size() == *size {
            frontier.partial().iter().try_for_each(|(tile, bytes)| compare(tiles, tile, bytes, wrong))?;
        }
        Ok(())
    }
}

fn compare(tiles: &Tiles<'_>, tile: &Tile, bytes: &[u8], wrong: &mut Option<Failure>) -> io::Result<()> {
    let cause = match tiles.bytes(tile)? {
        None => "is missing",
        Some(found) if found != bytes => "is not what the records make it",
        Some(_) => return compare_narrower(tiles, tile, bytes, wrong),
    };
    wrong.get_or_insert_with(|| Failure::Tile { path: tile.path(), cause });
    Ok(())
}

/// What it was when it was narrower, for whoever has an older checkpoint.
fn compare_narrower(tiles: &Tiles<'_>, tile: &Tile, bytes: &[u8], wrong: &mut Option<Failure>) -> io::Result<()> {
    for narrower in tiles.narrower(tile)? {
        let expected = bytes.get(..narrower.length()).unwrap_or_default();
        if tiles.bytes(&narrower)?.is_some_and(|found| found != expected) {
            wrong.get_or_insert_with(|| Failure::Tile { path: narrower.path(), cause: "is not what the records make it" });
        }
    }
    Ok(())
}
