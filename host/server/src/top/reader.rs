//! What is read again and again, by the functions of the commands that show the same: `audit tail`, `ledger`, `approvals list`, `breaker list`.
//!
//! Of the log only what was written since. No ledger is begun by looking at it.

use std::{net::SocketAddr, path::PathBuf};

use casemate_audit::Filter;
use casemate_ledger::{Approval, Ledger};
use casemate_policy::{Measure, Timestamp};
use casemate_signing::Environment;

use super::{
    Text,
    model::{Books, Budget, News, Paused, Waiting},
    text::Lines,
};
use crate::{
    approval::sheet,
    clock,
    command::Context,
    config::Config,
    exit::Failure,
    spending::{Spending, spending},
    trail::{Watch, in_order},
};

/// Records that are taken up at once, so that a key is answered while a long log is read.
const AT_ONCE: usize = 20_000;

/// Reads the log and the ledger of one environment.
pub(crate) struct Reader {
    config: PathBuf,
    environment: Environment,
    state: PathBuf,
    metrics: Option<SocketAddr>,
    watch: Watch,
    ledger: Option<Ledger>,
}

impl Reader {
    /// Of the environment that the configuration is for.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub(crate) fn open(context: &Context) -> Result<Self, Failure> {
        let config = Config::read(&context.folders.config)?;
        let environment = config.environment;
        Ok(Self {
            config: context.folders.config.clone(),
            environment,
            state: context.folders.state(environment),
            metrics: config.telemetry.metrics.map(|metrics| metrics.address),
            watch: Watch::lately(),
            ledger: None,
        })
    }

    pub(crate) fn environment(&self) -> Environment {
        self.environment
    }

    /// Where a server says its figures, by `[telemetry]` as it was when this was opened: a change of it takes a restart of the server too.
    pub(crate) fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// What was written into the log since the last time; the first time, what was written lately.
    pub(crate) fn log(&mut self) -> News {
        let chains = match self.watch.each(&self.state, &Filter::default(), AT_ONCE) {
            Ok(chains) => chains,
            Err(failure) => return News::Log(Vec::new(), Some(failure.into())),
        };
        let (mut entries, mut faults) = (Vec::new(), String::new());
        if chains.is_empty() {
            faults.push_str("there is no audit log yet\nhelp: `casemate serve` begins one");
        }
        for (chain, of_chain) in chains {
            match of_chain {
                Ok(of_chain) => entries.extend(of_chain),
                Err(failure) => faults.push_str(&format!("{chain}: {}\n", failure.message)),
            }
        }
        in_order(&mut entries);
        News::Log(entries, (!faults.is_empty()).then(|| Lines::of(&faults)))
    }

    /// What the ledger says now.
    pub(crate) fn books(&mut self) -> News {
        News::Books(self.read_books().map_err(Lines::from))
    }

    fn read_books(&mut self) -> Result<Books, Failure> {
        let config = Config::read(&self.config)?;
        if config.environment != self.environment {
            return Err(Failure::failed(format!(
                "the configuration is for environment `{}` now, and this view was started for `{}`\nhelp: start it again",
                config.environment, self.environment
            )));
        }
        let path = self.state.join("ledger.db");
        let ledger = match &self.ledger {
            // It is looked for anew where somebody took it away.
            Some(ledger) if path.exists() => ledger,
            _ if path.exists() => self.ledger.insert(Ledger::open(&path)?),
            _ => {
                self.ledger = None;
                return Err(Failure::failed("there is no ledger yet\nhelp: `casemate serve` begins one"));
            }
        };
        let now = clock::now();
        Ok(Books {
            budgets: spending(&config, ledger, None, now)?.iter().map(budget).collect(),
            waiting: ledger.approvals(false, now)?.iter().map(|approval| waiting(approval, &config)).collect(),
            paused: ledger
                .paused()?
                .iter()
                .map(|caller| paused(&caller.principal, caller.pause.since, &caller.pause.trip))
                .collect(),
        })
    }
}

fn budget(spending: &Spending) -> Budget {
    let unit = match &spending.measure {
        Measure::Calls(_) => "calls".to_owned(),
        Measure::Bytes(_) => "bytes".to_owned(),
        Measure::Distinct(dimension, _) => format!("different {dimension}"),
    };
    Budget {
        principal: Text::of(&spending.principal),
        grant: Text::of(&spending.grant),
        counts: Text::of(&spending.counts),
        spent: spending.spent,
        limit: spending.measure.limit(),
        unit: Text::of(&unit),
        per: Text::of(&spending.per),
    }
}

fn waiting(approval: &Approval, config: &Config) -> Waiting {
    let subject = &approval.open.subject;
    Waiting {
        id: Text::of(approval.open.id.as_str()),
        tool: Text::of(subject.tool.as_str()),
        principal: Text::of(subject.principal.as_str()),
        grant: Text::of(subject.grant.as_str()),
        asked: subject.requested,
        expires: subject.expires,
        agreed: sheet::people(approval, config).len(),
        quorum: sheet::quorum(approval, config),
    }
}

fn paused(principal: &str, since: Timestamp, why: &str) -> Paused {
    Paused { principal: Text::of(principal), since, why: Text::of(why) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::{
        fs::{self, File, OpenOptions},
        io::{Seek as _, Write as _},
        path::Path,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::{
        command::Format,
        connect::Homes,
        folders::{Folders, Xdg},
        top::sample::{NOW, ran},
    };

    fn reader(dir: &Path) -> Reader {
        fs::write(dir.join("casemate.toml"), "environment = \"dev\"\n").unwrap();
        let folders = Folders::choose(Some(dir), None, &Xdg::default()).unwrap();
        let context = Context {
            folders,
            format: Format::Text,
            program: "casemate".into(),
            registry_credentials: None,
            homes: Homes::default(),
        };
        Reader::open(&context).unwrap_or_else(|failure| panic!("{}", failure.message))
    }

    /// Two records of one call, as long as those of a real one.
    fn lines(number: i64) -> String {
        let ends = |mut entry: casemate_audit::Entry| {
            entry.raw["extensions"]["casemate"]["verdicts"] = "x".repeat(900).into();
            format!("{}\n", entry.raw)
        };
        ran(&number.to_string(), NOW, ("local", "eye_look"), ("allowed", "returned", 1_000)).map(ends).concat()
    }

    fn chain(dir: &Path, number: u32) -> std::path::PathBuf {
        let chain = dir.join(format!("state/dev/audit/chain-{number}"));
        fs::create_dir_all(&chain).unwrap();
        chain.join("00000000000000000000.jsonl")
    }

    fn log(reader: &mut Reader) -> (usize, Option<Lines>) {
        match reader.log() {
            News::Log(entries, unreadable) => (entries.len(), unreadable),
            other => panic!("{other:?}"),
        }
    }

    /// What happened, without what to do about it.
    fn first(why: &Lines) -> &str {
        why.iter().next().map(Text::as_str).unwrap_or_default()
    }

    #[test]
    fn a_long_log_is_read_once_and_then_only_what_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let file = chain(dir.path(), 0);
        fs::write(&file, (0..5_000).map(lines).collect::<String>()).unwrap();
        let mut reader = reader(dir.path());
        let began = Instant::now();
        assert_eq!(log(&mut reader), (10_000, None));
        let first = began.elapsed();
        // Whatever stands in what was read would not be a record: it is not read again.
        let mut begun = File::options().write(true).open(&file).unwrap();
        begun.rewind().unwrap();
        begun.write_all(&[b'x'; 4096]).unwrap();
        OpenOptions::new().append(true).open(&file).unwrap().write_all(lines(5_000).as_bytes()).unwrap();
        let began = Instant::now();
        assert_eq!(log(&mut reader), (2, None));
        let second = began.elapsed();
        assert_eq!(log(&mut reader), (0, None));
        assert!(first < Duration::from_secs(5) && second < Duration::from_millis(200), "{first:?}, {second:?}");
    }

    #[test]
    fn a_chain_that_cannot_be_read_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(chain(dir.path(), 0), lines(0)).unwrap();
        fs::write(chain(dir.path(), 1), "\u{1b}[2J no record\n").unwrap();
        let mut reader = reader(dir.path());
        let (count, why) = log(&mut reader);
        assert_eq!(count, 2);
        assert!(why.is_some_and(|why| first(&why).starts_with("chain-1: record 0")), "which one, and where");
        // A chain that is there later is read from its beginning, and what is wrong stays wrong.
        fs::write(chain(dir.path(), 2), lines(1)).unwrap();
        let (count, why) = log(&mut reader);
        assert!(count == 2 && why.is_some());
    }

    #[test]
    fn where_there_is_nothing_nothing_is_begun() {
        let dir = tempfile::tempdir().unwrap();
        let mut reader = reader(dir.path());
        let (count, why) = log(&mut reader);
        assert_eq!((count, why.as_ref().map(first)), (0, Some("there is no audit log yet")));
        let News::Books(Err(why)) = reader.books() else { panic!("there is no ledger") };
        assert_eq!(first(&why), "there is no ledger yet");
        assert!(!dir.path().join("state").exists());
    }

    #[test]
    fn the_ledger_is_looked_for_again_and_the_environment_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut reader = reader(dir.path());
        fs::create_dir_all(dir.path().join("state/dev")).unwrap();
        drop(Ledger::open(&dir.path().join("state/dev/ledger.db")));
        assert!(matches!(reader.books(), News::Books(Ok(books)) if books.waiting.is_empty()));
        fs::write(dir.path().join("state/dev/ledger.db"), "not a ledger, and longer than a page is\n".repeat(200)).unwrap();
        reader.ledger = None;
        assert!(matches!(reader.books(), News::Books(Err(_))));
        fs::write(dir.path().join("casemate.toml"), "environment = \"prod\"\n").unwrap();
        assert!(matches!(reader.books(), News::Books(Err(why)) if first(&why).contains("`prod`")));
    }
}
