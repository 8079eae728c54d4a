//! The sandbox's places, and who gets the next one.
//!
//! There are as many as the pool has memories. Whoever finds none free waits in the line of its principal, and the lines take turns: a
//! principal with sixty calls waiting is served as often as one with a single call. A call that gives up leaves its line at once.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use casemate_policy::PrincipalId;
use tokio::{sync::oneshot, time::timeout};

use crate::call::Fault;

/// Places that the calls of one plugin may take at once: the rest of the host's stay free for the others.
pub(crate) const PLACES_PER_PLUGIN: u32 = 192;

/// What one principal may have of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Calls that run at once.
    pub running: usize,
    /// How long a call waits for its turn.
    pub wait: Duration,
}

/// How many places one plugin's calls have taken. Changed under the lock of [`Places`] alone.
#[derive(Debug, Default)]
pub(crate) struct PluginPlaces(AtomicU32);

impl PluginPlaces {
    fn taken(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many places are taken, and how many calls wait for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Places that are taken.
    pub in_use: u32,
    /// Calls that wait.
    pub waiting: u32,
}

/// Every place of one sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// What was true when the lock was last given back, for whoever watches without it.
    in_use: AtomicU32,
    waiting: AtomicU32,
}

#[derive(Debug)]
struct State {
    free: u32,
    all: u32,
    running: HashMap<PrincipalId, usize>,
    /// The lines, in the order of their turns. None is empty.
    lines: VecDeque<Line>,
    /// Tells waiting calls apart.
    next: u64,
}

#[derive(Debug)]
struct Line {
    principal: PrincipalId,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    wants: Wants,
    turn: oneshot::Sender<Place>,
}

/// What one call needs.
#[derive(Debug, Clone)]
struct Wants {
    principal: PrincipalId,
    plugin: Arc<PluginPlaces>,
    /// One for each linear memory of the call.
    memories: u32,
    /// Calls of its principal that may run at once.
    running: usize,
}

/// A place for one call: whoever has it may run. It is free again when this is dropped.
#[derive(Debug)]
#[must_use = "a place that is not used is given back"]
pub struct Place {
    places: Places,
    wants: Wants,
    waited: bool,
}

impl Place {
    /// Whether it was not free at once. What was decided before may have changed since.
    pub fn waited(&self) -> bool {
        self.waited
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        state.free += self.wants.memories;
        self.wants.plugin.0.fetch_sub(self.wants.memories, Ordering::Relaxed);
        if let Some(running) = state.running.get_mut(&self.wants.principal) {
            *running -= 1;
            if *running == 0 {
                state.running.remove(&self.wants.principal);
            }
        }
        self.places.serve(state);
    }
}

/// A call in a line. Leaves it when dropped.
struct Waiting<'a> {
    places: &'a Places,
    principal: &'a PrincipalId,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        let Some(at) = state.lines.iter().position(|line| line.principal == *self.principal) else { return };
        let Some(line) = state.lines.get_mut(at) else { return };
        line.waiting.retain(|waiter| waiter.number != self.number);
        if line.waiting.is_empty() {
            state.lines.remove(at);
        }
        // It may have been the one that the others waited behind.
        self.places.serve(state);
    }
}

impl Places {
    pub(crate) fn new(all: u32) -> Self {
        let state = Mutex::new(State { free: all, all, running: HashMap::new(), lines: VecDeque::new(), next: 0 });
        Self(Arc::new(Shared { state, in_use: AtomicU32::new(0), waiting: AtomicU32::new(0) }))
    }

    /// How it stands. It takes no lock, so no call waits for whoever asks.
    pub(crate) fn occupancy(&self) -> Occupancy {
        Occupancy { in_use: self.0.in_use.load(Ordering::Relaxed), waiting: self.0.waiting.load(Ordering::Relaxed) }
    }

    /// A place for a call of this principal, when it is its turn.
    ///
    /// # Errors
    /// [`Fault::Busy`] with what was taken, where its turn does not come in time.
    pub(crate) async fn take(
        &self,
        principal: &PrincipalId,
        plugin: &Arc<PluginPlaces>,
        memories: u32,
        share: Share,
    ) -> Result<Place, Fault> {
        let wants = Wants { principal: principal.clone(), plugin: Arc::clone(plugin), memories, running: share.running };
        let (turn, mut come) = oneshot::channel();
        let waiting = {
            let mut state = self.lock();
            let number = state.next;
            state.next = number.wrapping_add(1);
            let waiter = Waiter { number, wants: wants.clone(), turn };
            match state.lines.iter_mut().find(|line| line.principal == *principal) {
                Some(line) => line.waiting.push_back(waiter),
                None => state.lines.push_back(Line { principal: principal.clone(), waiting: [waiter].into() }),
            }
            let waiting = Waiting { places: self, principal, number };
            self.serve(state);
            waiting
        };
        if let Ok(place) = come.try_recv() {
            return Ok(place);
        }
        let came = timeout(share.wait, &mut come).await;
        drop(waiting);
        // It may have come in the moment that the time was over.
        match came.ok().and_then(Result::ok).or_else(|| come.try_recv().ok()) {
            Some(mut place) => {
                place.waited = true;
                Ok(place)
            }
            None => Err(self.lock().taken(&wants)),
        }
    }

    /// Give every free place to whoever's turn it is.
    fn serve(&self, mut state: MutexGuard<'_, State>) {
        let given = state.turns(self);
        self.0.in_use.store(state.all - state.free, Ordering::Relaxed);
        self.0.waiting.store(state.waiting(), Ordering::Relaxed);
        // A place that nobody takes any more comes back here, so not under the lock.
        drop(state);
        for (turn, place) in given {
            drop(turn.send(place));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whose turn it is, as long as there is room.
    fn turns(&mut self, places: &Places) -> Vec<(oneshot::Sender<Place>, Place)> {
        let mut given = Vec::new();
        let mut passed_over = 0;
        while passed_over < self.lines.len()
            && let Some(mut line) = self.lines.pop_front()
        {
            let Some(at) = line.waiting.iter().position(|waiter| self.may_run(&waiter.wants)) else {
                self.lines.push_back(line);
                passed_over += 1;
                continue;
            };
            // Its turn, and not enough room yet: nobody overtakes it, or a call of two memories would wait for ever.
            if line.waiting.get(at).is_some_and(|waiter| waiter.wants.memories > self.free) {
                self.lines.push_front(line);
                break;
            }
            if let Some(Waiter { wants, turn, .. }) = line.waiting.remove(at) {
                self.free -= wants.memories;
                wants.plugin.0.fetch_add(wants.memories, Ordering::Relaxed);
                *self.running.entry(wants.principal.clone()).or_default() += 1;
                given.push((turn, Place { places: places.clone(), wants, waited: false }));
            }
            if !line.waiting.is_empty() {
                self.lines.push_back(line);
            }
            passed_over = 0;
        }
        given
    }

    /// Whether nothing but the host's places can be missing.
    fn may_run(&self, wants: &Wants) -> bool {
        !plugin_full(wants) && self.running_of(&wants.principal) < wants.running
    }

    /// Calls in all the lines.
    fn waiting(&self) -> u32 {
        u32::try_from(self.lines.iter().map(|line| line.waiting.len()).sum::<usize>()).unwrap_or(u32::MAX)
    }

    fn running_of(&self, principal: &PrincipalId) -> usize {
        self.running.get(principal).copied().unwrap_or_default()
    }

    /// What stands in the way.
    fn taken(&self, wants: &Wants) -> Fault {
        let (whose, places) = if plugin_full(wants) {
            ("the plugin's", PLACES_PER_PLUGIN as usize)
        } else if self.running_of(&wants.principal) >= wants.running {
            ("your own", wants.running)
        } else {
            ("the host's", self.all as usize)
        };
        Fault::Busy { whose, places }
    }
}

fn plugin_full(wants: &Wants) -> bool {
    wants.plugin.taken() + wants.memories > PLACES_PER_PLUGIN
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SHARE: Share = Share { running: 192, wait: Duration::from_secs(20) };
    const SHORT: Share = Share { wait: Duration::from_millis(20), ..SHARE };

    fn who(name: &str) -> PrincipalId {
        name.parse().unwrap()
    }

    /// Waiting calls are in their lines before the test goes on.
    async fn settled() {
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_free_place_is_had_without_waiting() {
        let (places, plugin) = (Places::new(1), Arc::default());
        let place = places.take(&who("a"), &plugin, 1, SHARE).await.unwrap();
        assert!(!place.waited());
        let busy = places.take(&who("b"), &plugin, 1, SHORT).await.unwrap_err();
        assert!(matches!(busy, Fault::Busy { whose: "the host's", places: 1 }), "{busy:?}");
        drop(place);
        assert!(places.take(&who("b"), &plugin, 1, SHORT).await.is_ok());
        let state = places.lock();
        assert_eq!((state.free, state.running.len(), plugin.taken()), (1, 0, 0));
        assert_eq!(places.occupancy(), Occupancy { in_use: 0, waiting: 0 });
    }

    /// Sixty-four calls of one principal wait; the one call of another that comes last is second.
    #[tokio::test]
    async fn principals_take_turns_however_many_calls_they_bring() {
        let (places, plugin) = (Places::new(1), Arc::<PluginPlaces>::default());
        let first = places.take(&who("many"), &plugin, 1, SHARE).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut calls = tokio::task::JoinSet::new();
        for name in std::iter::repeat_n("many", 64).chain(["one"]) {
            let (places, plugin, order) = (places.clone(), Arc::clone(&plugin), Arc::clone(&order));
            calls.spawn(async move {
                let place = places.take(&who(name), &plugin, 1, SHARE).await.unwrap();
                assert!(place.waited());
                order.lock().unwrap().push(name);
            });
            settled().await;
        }
        drop(first);
        calls.join_all().await;
        let order = order.lock().unwrap();
        let place = order.iter().position(|name| *name == "one").unwrap();
        assert!(order.len() == 65 && place <= 1, "{order:?}");
    }

    #[tokio::test]
    async fn no_principal_runs_more_than_its_share() {
        let (places, plugin) = (Places::new(8), Arc::default());
        let share = Share { running: 2, ..SHORT };
        let (_first, _second) =
            (places.take(&who("a"), &plugin, 1, share).await.unwrap(), places.take(&who("a"), &plugin, 1, share).await.unwrap());
        let busy = places.take(&who("a"), &plugin, 1, share).await.unwrap_err();
        assert!(matches!(busy, Fault::Busy { whose: "your own", places: 2 }), "{busy:?}");
        assert!(places.take(&who("b"), &plugin, 1, share).await.is_ok());
    }

    #[tokio::test]
    async fn a_full_plugin_holds_up_its_own_calls_alone() {
        let (places, full, other) = (Places::new(256), Arc::default(), Arc::default());
        let _held = places.take(&who("a"), &full, PLACES_PER_PLUGIN, SHARE).await.unwrap();
        let busy = places.take(&who("b"), &full, 1, SHORT).await.unwrap_err();
        assert!(matches!(busy, Fault::Busy { whose: "the plugin's", places: 192 }), "{busy:?}");
        // The same principal's call of another plugin overtakes.
        let same = who("b");
        let waits = places.take(&same, &full, 1, SHARE);
        let goes = places.take(&same, &other, 1, SHORT);
        tokio::select! { biased; _ = waits => unreachable!("the plugin is full"), place = goes => drop(place.unwrap()) }
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_line_and_frees_who_waited_behind() {
        let (places, plugin) = (Places::new(2), Arc::<PluginPlaces>::default());
        let held = places.take(&who("a"), &plugin, 1, SHARE).await.unwrap();
        // A call of two memories is next, and nobody overtakes it.
        let large = tokio::spawn({
            let (places, plugin) = (places.clone(), Arc::clone(&plugin));
            async move { places.take(&who("large"), &plugin, 2, SHARE).await.map(drop) }
        });
        settled().await;
        assert_eq!(places.occupancy(), Occupancy { in_use: 1, waiting: 1 });
        assert!(places.take(&who("small"), &plugin, 1, SHORT).await.is_err());
        large.abort();
        settled().await;
        assert!(places.take(&who("small"), &plugin, 1, SHORT).await.is_ok());
        assert!(places.lock().lines.is_empty());
        drop(held);
        assert_eq!(places.lock().free, 2);
    }
}
