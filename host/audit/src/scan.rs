//! Reading a log from some point to its end, and naming the first thing that is wrong with it.

mod ahead;

use std::{io, iter::Peekable, ops::ControlFlow, slice};

use cap_std::fs::Dir;

pub(crate) use self::ahead::Depth;
use self::ahead::Seen;
use crate::{
    Checkpoint, CheckpointDamage, Damage, Hash, Keys, KeysDamage, Place, Torn, WitnessedDamage,
    chain::{Chain, Misfit},
    checkpoint, file, note,
    record::{self, Checked},
    segment::{Found, Lines},
};

/// The first thing that is wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It cannot be read.
    #[error("the audit log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A record is not what was written.
    #[error("{place} was changed: {damage}")]
    Damaged {
        /// Which.
        place: Place,
        /// How it shows.
        damage: Damage,
    },
    /// A record does not follow the one before it.
    #[error("{place} does not follow the record before it: {cause}")]
    Broken {
        /// Which.
        place: Place,
        /// What was done.
        cause: Break,
    },
    /// A whole file is missing, or too many.
    #[error("record {expected} is missing: the next file is `{found}`")]
    Gap {
        /// The record that should come next.
        expected: u64,
        /// The file that comes instead.
        found: String,
    },
    /// Records at the end are missing.
    #[error(
        "the log was cut short: it has {records} records, and {} covers {signed}", which(*line)
    )]
    Truncated {
        /// How many records there are.
        records: u64,
        /// How many were signed for.
        signed: u64,
        /// The checkpoint's line; 0 for one that was kept elsewhere.
        line: usize,
        /// Where the last file stops making sense, if it does not end with a whole record.
        torn: Option<Torn>,
    },
    /// The records fit each other and not what was signed.
    #[error(
        "records {after} to {} were rewritten: they fit each other, and not {}", size.saturating_sub(1), which(*line)
    )]
    Rewritten {
        /// The first record that the checkpoint before does not vouch for.
        after: u64,
        /// How many records the checkpoint covers.
        size: u64,
        /// Its line; 0 for one that was kept elsewhere.
        line: usize,
    },
    /// A checkpoint that was kept elsewhere is not among those in the folder any more.
    #[error(
        "the log was cut back or replaced: a checkpoint over {signed} records was signed, it is gone from `checkpoints`, and the last one there covers {left}"
    )]
    Withdrawn {
        /// How many records the missing one covers.
        signed: u64,
        /// How many the last one in the folder covers.
        left: u64,
    },
    /// A checkpoint is not what was signed.
    #[error("the checkpoint on line {line} of `checkpoints` is not valid: {damage}")]
    Checkpoint {
        /// Its line.
        line: usize,
        /// How it shows.
        damage: CheckpointDamage,
    },
    /// The keys of the log cannot be followed.
    #[error("audit-keys: {0}")]
    Keys(#[from] KeysDamage),
    /// A key was handed over to, and the record that should name it does not.
    #[error("audit-keys: record {record} should hand the log over to the key that `keys` says follows, and does not")]
    Handover {
        /// Which record.
        record: u64,
    },
    /// A tile is not what the records make it.
    #[error(
        "audit-tile: `{path}` {cause}\nhelp: as long as no records were removed, the next start of casemate makes the folder `tlog` anew where it is taken away"
    )]
    Tile {
        /// Its file.
        path: String,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// The full exchanges of a call are gone, or others.
    #[error("audit-details: the details of the call that {place} ends {cause}")]
    Details {
        /// The outcome that names them.
        place: Place,
        /// What is wrong with them.
        cause: &'static str,
    },
    /// A checkpoint that a witness cosigned does not count.
    #[error("audit-witness: the cosigned checkpoint on line {line} of `witnessed` is not valid: {damage}")]
    Witnessed {
        /// Its line; 0 for one that is not kept there.
        line: usize,
        /// How it shows.
        damage: WitnessedDamage,
    },
    /// A witness whose word is asked for gave none.
    #[error("audit-witness: `{0}` has cosigned no checkpoint of this log that is kept with it")]
    Unwitnessed(String),
}

fn which(line: usize) -> String {
    match line {
        0 => "a checkpoint that was kept elsewhere".to_owned(),
        line => format!("the checkpoint on line {line} of `checkpoints`"),
    }
}

/// What was done to a chain at a place where it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// The predecessor it names is nowhere.
    #[error("at least one record between them was deleted")]
    Deleted,
    /// The predecessor it names is further back.
    #[error("records {first} to {last} were inserted")]
    Inserted {
        /// The first record that does not belong.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// The predecessor it names comes later.
    #[error("it was moved: it belongs after record {after}")]
    Moved {
        /// Where its predecessor is now.
        after: u64,
    },
    /// It follows, and its id says it is older.
    #[error("its `event_id` is not after the one before")]
    Id,
}

/// A signed checkpoint and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) line: usize,
    pub(crate) checkpoint: Checkpoint,
}

/// The checkpoints file as it was read.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    pub(crate) signed: Vec<Signed>,
    /// The last of them, as it stands there.
    pub(crate) newest: Option<String>,
    /// Bytes of whole checkpoints.
    pub(crate) whole: u64,
    /// Bytes after them.
    pub(crate) torn: u64,
}

/// Read the checkpoints. Signatures are checked of those that cover more than `from` records.
pub(crate) fn checkpoints(dir: &Dir, keys: &Keys, from: u64) -> Result<Checkpoints, Failure> {
    let Some(bytes) = file::read(dir, checkpoint::FILE, checkpoint::MAX_FILE)? else { return Ok(Checkpoints::default()) };
    // A crash can cut a character in two: what is not text is judged with the unfinished end, or breaks a note.
    let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let (notes, whole) = note::split(text);
    let (whole, length) = (whole as u64, bytes.len() as u64);
    if text.len() < bytes.len() && !is_crash_rest(bytes.get(text.len()..).unwrap_or_default()) {
        let line = text.lines().count().max(1);
        return Err(Failure::Checkpoint { line, damage: CheckpointDamage::Shape });
    }
    let mut signed: Vec<Signed> = Vec::new();
    let newest = notes.last().map(|note| note.text.to_owned());
    for note in notes {
        let failure = |damage| Failure::Checkpoint { line: note.line, damage };
        let checkpoint = Checkpoint::open_after(note.text, keys, from).map_err(failure)?;
        if signed.first().is_some_and(|first| first.checkpoint.origin != checkpoint.origin) {
            return Err(failure(CheckpointDamage::Origin));
        }
        if signed.last().map_or(0, |last| last.checkpoint.size) >= checkpoint.size {
            return Err(failure(CheckpointDamage::Order));
        }
        signed.push(Signed { line: note.line, checkpoint });
    }
    Ok(Checkpoints { signed, newest, whole, torn: length.saturating_sub(whole) })
}

/// Part of one character, as a cut write leaves it.
fn is_crash_rest(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

/// A log read to its end.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) chain: Chain,
    pub(crate) torn: Option<Torn>,
}

/// Whether a checkpoint kept elsewhere is still among the log's own.
pub(crate) fn holds(dir: &Dir, keys: &Keys, kept: &Checkpoint) -> Result<(), Failure> {
    // The one looked for is vouched for already, and no other is believed here.
    let found = checkpoints(dir, keys, u64::MAX)?.signed;
    if found.iter().any(|signed| signed.checkpoint == *kept) {
        return Ok(());
    }
    Err(Failure::Withdrawn { signed: kept.size, left: found.last().map_or(0, |signed| signed.checkpoint.size) })
}

/// Read from where `chain` stands, which is the beginning of a segment, to the end, or up to a record. `see` is shown every record.
pub(crate) fn scan(
    dir: &Dir,
    chain: Chain,
    signed: &[Signed],
    (depth, until): (Depth, Option<u64>),
    see: &mut dyn FnMut(&Place, &Checked) -> Result<(), Failure>,
) -> Result<Scan, Failure> {
    let start = chain.size();
    let after = signed.partition_point(|signed| signed.checkpoint.size < start);
    let pending = signed.get(after..).unwrap_or_default().iter().peekable();
    let (mut walk, mut torn) = (Walk { chain, pending, vouched: start }, None);
    walk.hold()?;
    ahead::each(Lines::from(dir, start)?, depth, &mut |seen| {
        if until == Some(walk.chain.size()) {
            return Ok(ControlFlow::Break(()));
        }
        let (place, record) = match seen {
            Seen::Record(place, record) => (place, record),
            Seen::Damaged(place, damage) => return Err(Failure::Damaged { place, damage }),
            Seen::Gap { expected, found } => return Err(Failure::Gap { expected, found }),
            Seen::Torn(rest) => {
                torn = Some(rest);
                return Ok(ControlFlow::Break(()));
            }
        };
        match walk.chain.follow(&record) {
            Ok(()) => see(&place, &record)?,
            Err(Misfit::Id) => return Err(Failure::Broken { place, cause: Break::Id }),
            Err(Misfit::Previous) => {
                let cause = what_was_done(dir, start, place.record, &record.previous)?;
                return Err(Failure::Broken { place, cause });
            }
        }
        walk.hold()?;
        Ok(ControlFlow::Continue(()))
    })?;
    let chain = walk.chain;
    let missing = signed.last().filter(|signed| signed.checkpoint.size > chain.size() && until != Some(chain.size()));
    if let Some(signed) = missing {
        let (records, line, signed) = (chain.size(), signed.line, signed.checkpoint.size);
        return Err(Failure::Truncated { records, signed, line, torn });
    }
    Ok(Scan { chain, torn })
}

/// A log being read, and the checkpoints that it has not come to.
struct Walk<'s> {
    chain: Chain,
    pending: Peekable<slice::Iter<'s, Signed>>,
    vouched: u64,
}

impl Walk<'_> {
    /// Hold what was read to the checkpoints that cover exactly that.
    fn hold(&mut self) -> Result<(), Failure> {
        while let Some(signed) = self.pending.next_if(|signed| signed.checkpoint.size == self.chain.size()) {
            if signed.checkpoint.root != self.chain.tree.root() {
                return Err(Failure::Rewritten { after: self.vouched, size: signed.checkpoint.size, line: signed.line });
            }
            self.vouched = signed.checkpoint.size;
        }
        Ok(())
    }
}

/// The chain breaks before `record`, which names `previous`: look where that one is.
fn what_was_done(dir: &Dir, start: u64, record: u64, previous: &Hash) -> Result<Break, Failure> {
    let mut lines = Lines::from(dir, start)?;
    let mut buffer = Vec::new();
    if *previous == Hash::NONE {
        return Ok(Break::Inserted { first: 0, last: record.saturating_sub(1) });
    }
    while let Some(found) = lines.next(&mut buffer)? {
        let Found::Line(place) = found else { continue };
        if record::check(&buffer).is_ok_and(|candidate| candidate.hash == *previous) {
            return Ok(if place.record < record {
                Break::Inserted { first: place.record + 1, last: record.saturating_sub(1) }
            } else {
                Break::Moved { after: place.record }
            });
        }
    }
    Ok(Break::Deleted)
}
