//! The loop of the live view: what is read, what is typed and what the system says come in, and a frame goes out.
//!
//! Reading, verifying, asking and listening each have a task of their own: none of them holds up the others, or a key.

use std::time::Duration;

use ratatui::crossterm::event::{self, Event};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{self, Sender},
    task::JoinSet,
    time::sleep,
};

use super::{
    Checker, Endpoint, Lines, Model, News, Reader, Ui,
    screen::{Screen, key},
    view::Key,
};
use crate::{
    clock,
    exit::{Exit, Failure, Outcome},
};

/// How often log and ledger are read.
const READ: Duration = Duration::from_millis(500);
/// How often a running server is asked.
const ASK: Duration = Duration::from_secs(1);
/// How often the time is told where nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// How long a key is waited for before it is looked whether anybody still wants one.
const LISTEN: Duration = Duration::from_millis(200);

/// What comes in.
enum Told {
    News(News),
    Key(Key),
    /// The terminal has another size, or nothing of it matters.
    Drawn,
    /// There is no terminal any more.
    Gone(String),
}

/// Show it until somebody quits, or the system says so.
///
/// # Errors
/// When the terminal cannot be used, or a part of this program failed.
pub(crate) async fn live(
    mut model: Model,
    mut ui: Ui,
    (reader, checker): (Reader, Checker),
    endpoint: Option<Endpoint>,
) -> Outcome {
    let (tell, mut told) = mpsc::channel(64);
    let mut tasks = JoinSet::new();
    let (mut terminate, mut hang_up, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?);
    let mut screen = Screen::open()?;
    start(&mut tasks, tell, (reader, checker), endpoint);
    // What is looked at while the rest goes on.
    let mut held: Option<Model> = None;
    loop {
        screen.draw(held.as_ref().unwrap_or(&model), &mut ui)?;
        tokio::select! {
            Some(one) = told.recv() => match one {
                Told::News(news) => model.take(news, clock::now()),
                Told::Key(Key::Quit) => return Ok(Exit::Done),
                Told::Key(key) => {
                    ui.press(key);
                    held = ui.is_paused().then(|| held.take().unwrap_or_else(|| model.clone()));
                }
                Told::Drawn => {}
                Told::Gone(why) => return Err(Failure::failed(format!("the terminal cannot be read: {why}"))),
            },
            Some(ended) = tasks.join_next() => if let Err(error) = ended {
                return Err(Failure::failed(format!("a part of the view failed: {error}\nhelp: start it again, or use --once")));
            },
            _ = terminate.recv() => return Ok(Exit::Done),
            _ = hang_up.recv() => return Ok(Exit::Done),
            _ = interrupt.recv() => return Ok(Exit::Done),
            () = sleep(TICK) => model.now = clock::now(),
        }
    }
}

fn start(tasks: &mut JoinSet<()>, tell: Sender<Told>, (mut reader, mut checker): (Reader, Checker), endpoint: Option<Endpoint>) {
    let to = tell.clone();
    tasks.spawn_blocking(move || {
        while send(&to, reader.log()) && send(&to, reader.books()) {
            std::thread::sleep(READ);
        }
    });
    let to = tell.clone();
    tasks.spawn_blocking(move || {
        let mut goes_on = true;
        while goes_on {
            goes_on = checker.plugins().is_none_or(|news| send(&to, news)) && checker.health().is_none_or(|news| send(&to, news));
            std::thread::sleep(READ);
            goes_on &= !to.is_closed();
        }
    });
    if let Some(endpoint) = endpoint {
        let to = tell.clone();
        tasks.spawn(async move {
            loop {
                let figures = endpoint.ask().await.map_err(|why| Lines::of(&why));
                if to.send(Told::News(News::Figures(figures))).await.is_err() {
                    return;
                }
                sleep(ASK).await;
            }
        });
    }
    tasks.spawn_blocking(move || listen(&tell));
}

/// Whether anybody still wants to know.
fn send(to: &Sender<Told>, news: News) -> bool {
    to.blocking_send(Told::News(news)).is_ok()
}

/// Pass on what is typed.
fn listen(to: &Sender<Told>) {
    while !to.is_closed() {
        let told = match event::poll(LISTEN).and_then(|is_there| if is_there { event::read().map(Some) } else { Ok(None) }) {
            Ok(None) => continue,
            Ok(Some(Event::Key(typed))) => key(typed).map_or(Told::Drawn, Told::Key),
            Ok(Some(_)) => Told::Drawn,
            Err(error) => Told::Gone(error.to_string()),
        };
        let is_over = matches!(told, Told::Gone(_));
        if to.blocking_send(told).is_err() || is_over {
            return;
        }
    }
}
