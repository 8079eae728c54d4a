//! The thread that writes the tiles: nobody who waits for a record waits for them.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

use crate::{Checkpoint, Hash, log::Shared, tlog::Tlog};

/// Records that a checkpoint covers and the tiles do not yet.
pub(crate) struct Batch {
    pub(crate) hashes: Vec<Hash>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: String,
}

/// Begin. It ends when nobody holds the sender any more and everything is written.
pub(crate) fn start(shared: Arc<Shared>, tlog: Tlog) -> io::Result<(Sender<Batch>, JoinHandle<()>)> {
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name("audit-tiles".to_owned()).spawn(move || {
        if let Err(error) = work(&shared, tlog, &receiver) {
            shared.lock().fail(&format!("tiles: {error}"));
            shared.work.notify_one();
        }
    })?;
    Ok((sender, thread))
}

fn work(shared: &Shared, mut tlog: Tlog, batches: &Receiver<Batch>) -> io::Result<()> {
    while let Ok(mut batch) = batches.recv() {
        tlog.extend(&*shared.disk, &shared.dir, &batch.hashes)?;
        // Where the disk is slow, only the newest is published.
        while let Ok(next) = batches.try_recv() {
            tlog.extend(&*shared.disk, &shared.dir, &next.hashes)?;
            batch = next;
        }
        tlog.publish(&*shared.disk, &shared.dir, &batch.checkpoint, &batch.note)?;
    }
    Ok(())
}
