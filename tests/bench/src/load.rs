//! `make load`: many connections of several principals, each with as many calls in flight as it may, for as long as it is told.
//!
//! What fails it: an answer that does not come or is another call's, and memory that grows once everything is warm. How fast it was is
//! printed, and read by people.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    call::{Client, Result, Revision, Work},
    http::{self, Http},
    process::Process,
    stage::{PLAIN, Stage},
};

/// What is asked of the server.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Connections at once.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Principals that the connections are divided among.
    #[arg(long, default_value_t = 8)]
    principals: usize,
    /// Calls that each principal has in flight.
    #[arg(long, default_value_t = 64)]
    in_flight: u64,
    /// Seconds after the warm-up.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

/// Until everything that is allocated once has been.
const WARM_UP: Duration = Duration::from_secs(10);
/// Bytes of the argument.
const BYTES: usize = 32;
/// What resident memory may differ by once warm: a tenth, and this much in KiB for what the allocator keeps.
const SLACK_KIB: u64 = 16 << 10;
/// A client needs little more than its buffers, which are elsewhere.
const STACK: usize = 256 << 10;

/// Put the server under load.
pub(crate) fn run(stage: &Stage, args: &Args) -> Result<()> {
    let names: Vec<_> = (0..args.principals).map(|number| format!("load-{number}")).collect();
    let command = stage.serve_loaded(&names, args.connections)?;
    let tokens = names.iter().map(|name| stage.token_of(name)).collect::<Result<Vec<_>>>()?;
    let server = http::Server::start(command)?;
    let (work, counts, stop) = (Work::new(PLAIN, BYTES), Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
    let turns: Vec<_> = (0..args.principals).map(|_| Arc::new(Turns::new(args.in_flight))).collect();
    let mut clients = Vec::new();
    for number in 0..args.connections {
        let principal = number % args.principals;
        let (Some(token), Some(turns)) = (tokens.get(principal), turns.get(principal)) else { continue };
        let connection = server.connect(Some(token), Revision::Stateless, &work)?;
        let (work, counts, stop, turns) = (work.clone(), Arc::clone(&counts), Arc::clone(&stop), Arc::clone(turns));
        let client = move || caller(connection, &work, &turns, &counts, &stop);
        clients.push(thread::Builder::new().stack_size(STACK).spawn(client)?);
    }
    thread::sleep(WARM_UP);
    let warm = counts.begin();
    let memory = watch(server.process(), Duration::from_secs(args.seconds))?;
    let (answered, took) = (counts.answered.load(Ordering::Relaxed) - warm, counts.end());
    stop.store(true, Ordering::Relaxed);
    let mut lost = 0;
    for client in clients {
        // One that died was in the middle of a call.
        lost += u64::from(client.join().is_err());
    }
    lost += counts.lost.load(Ordering::Relaxed);
    report(args, answered, took, &memory, (counts.busy.load(Ordering::Relaxed), lost))
}

fn caller(mut connection: Http, work: &Work, turns: &Turns, counts: &Counts, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let turn = turns.take();
        match connection.call(work) {
            Ok(took) => counts.answer(took),
            Err(error) if error.to_string().contains("\"busy\"") => _ = counts.busy.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                eprintln!("a call was not answered: {error}");
                counts.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        drop(turn);
    }
}

/// Resident memory once a second, in KiB.
fn watch(process: Process, lasts: Duration) -> Result<Vec<u64>> {
    let (started, mut memory) = (Instant::now(), vec![process.resident()?.0]);
    while started.elapsed() < lasts {
        thread::sleep(Duration::from_secs(1));
        memory.push(process.resident()?.0);
    }
    Ok(memory)
}

fn report(args: &Args, answered: u64, mut took: Vec<u32>, memory: &[u64], (busy, lost): (u64, u64)) -> Result<()> {
    took.sort_unstable();
    let percentile = |percent: usize| {
        let at = (took.len() * percent / 100).min(took.len().saturating_sub(1));
        f64::from(took.get(at).copied().unwrap_or_default()) / 1e3
    };
    let mebibytes = |kib: Option<&u64>| kib.map_or(0, |kib| kib >> 10);
    let seconds = args.seconds.max(1);
    let (first, most, last) = (memory.first(), memory.iter().max(), memory.last());
    eprintln!(
        "{} connections, {} principals with {} calls in flight each, {seconds} s after {} s of warm-up",
        args.connections,
        args.principals,
        args.in_flight,
        WARM_UP.as_secs()
    );
    eprintln!("answered   {answered}, {} a second", answered / seconds);
    eprintln!("took       p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms", percentile(50), percentile(99), percentile(100));
    eprintln!("busy       {busy}");
    eprintln!("lost       {lost}");
    eprintln!("resident   {} MiB warm, {} MiB at most, {} MiB at the end", mebibytes(first), mebibytes(most), mebibytes(last));
    let (first, last) = (first.copied().unwrap_or_default(), last.copied().unwrap_or_default());
    match () {
        () if lost > 0 => Err(format!("{lost} calls were not answered").into()),
        () if answered == 0 => Err("nothing was answered".into()),
        () if last > first + first / 10 + SLACK_KIB => Err(format!("memory grew from {first} to {last} KiB").into()),
        () => Ok(()),
    }
}

/// What became of the calls of everybody.
#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    busy: AtomicU64,
    lost: AtomicU64,
    /// Microseconds of each answer, from when it counts.
    took: Mutex<Option<Vec<u32>>>,
}

impl Counts {
    fn answer(&self, took: Duration) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if let Some(all) = self.took.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            all.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
    }

    /// From now on it counts. Gives how many were answered before.
    fn begin(&self) -> u64 {
        *self.took.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
        self.answered.load(Ordering::Relaxed)
    }

    fn end(&self) -> Vec<u32> {
        self.took.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

/// The calls that one principal may have in flight. Its connections take turns, so that none is idle for long.
#[derive(Debug)]
struct Turns {
    many: u64,
    state: Mutex<Tickets>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct Tickets {
    drawn: u64,
    over: u64,
}

struct Turn<'a>(&'a Turns);

impl Turns {
    fn new(many: u64) -> Self {
        Self { many, state: Mutex::default(), over: Condvar::new() }
    }

    fn take(&self) -> Turn<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = state.drawn;
        state.drawn += 1;
        drop(self.over.wait_while(state, |state| ticket >= state.over + self.many).unwrap_or_else(PoisonError::into_inner));
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).over += 1;
        self.0.over.notify_all();
    }
}
