//! The epoch ticker: one thread that ticks on absolute times while calls run, and sleeps while none does.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use wasmtime::Engine;

use crate::engine::TICK;

/// Ticks `engine`'s epoch while any [`Ticking`] lives.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    calls: AtomicUsize,
    ended: AtomicBool,
}

/// Proof that the ticker ticks; held for as long as a call runs.
pub(crate) struct Ticking<'a>(&'a Ticker);

impl Ticker {
    pub(crate) fn start(engine: Engine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = thread::Builder::new().name("casemate-epoch".to_owned()).spawn(move || run(&engine, &seen))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn tick(&self) -> Ticking<'_> {
        if self.shared.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            self.wake();
        }
        Ticking(self)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

fn run(engine: &Engine, shared: &Shared) {
    while !shared.ended.load(Ordering::SeqCst) {
        if shared.calls.load(Ordering::SeqCst) == 0 {
            thread::park();
            continue;
        }
        // Absolute times: a late tick is followed by an early one, so lateness does not add up.
        let mut next = Instant::now() + TICK;
        while shared.calls.load(Ordering::SeqCst) > 0 && !shared.ended.load(Ordering::SeqCst) {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            engine.increment_epoch();
            next = (next + TICK).max(Instant::now());
        }
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.shared.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
