//! `make bench`: what a call costs through casemate, over the same call to a plain rmcp server, measured in the same run.
//!
//! Both servers run at the same time and are asked in turns, over the same kind of transport, by the same client, for the same
//! tool: one that returns its argument. What is left is the cost of the house. Nothing here fails because a figure is bad:
//! figures are read by people, and mean something on a machine that does nothing else.

mod call;
mod collector;
mod http;
mod load;
mod native;
mod process;
mod report;
mod stage;
mod stdio;

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use call::{Client, Result, Revision, Work};
use clap::{Parser, ValueEnum};
use process::Process;
use report::{Report, Sample, Unit};
use serde_json::Value;
use stage::{BUDGETED, PLAIN, Stage};
use stdio::Pipes;

/// Measure casemate against a plain rmcp server. Needs an optimised `casemate` beside this program, or `--casemate`.
#[derive(Debug, Parser)]
struct Args {
    /// The `casemate` to measure.
    #[arg(long, value_name = "FILE")]
    casemate: Option<PathBuf>,
    /// Also write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A tenth of the calls: to see that it works, not to read the figures.
    #[arg(long)]
    quick: bool,
    /// Do something else instead.
    #[command(subcommand)]
    instead: Option<Instead>,
    /// Be the native server.
    #[arg(long, hide = true)]
    native: Option<Transport>,
}

#[derive(Debug, clap::Subcommand)]
enum Instead {
    /// Keep many connections busy for a while; fails where an answer is lost or memory grows.
    Load(load::Args),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Transport {
    Stdio,
    Http,
}

/// Turns of each server; between two of its turns the other one has its own.
const TURNS: usize = 10;
/// How many plugins a house has that is in use.
const PLUGINS: usize = 10;
/// How often a server is started.
const STARTS: usize = 20;
/// Calls at the same time, where more than one.
const DEPTH: usize = 16;
/// Bytes of a short argument, and of a long one.
const SHORT: usize = 32;
const LONG: usize = 2048;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.native {
        Some(Transport::Stdio) => native::stdio().map_err(|error| error.to_string()),
        Some(Transport::Http) => native::http().map_err(|error| error.to_string()),
        None => measure(&args).map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("casemate-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    let me = env::current_exe()?;
    let casemate = args.casemate.clone().unwrap_or_else(|| me.with_file_name("casemate"));
    if let Some(Instead::Load(load)) = &args.instead {
        return load::run(&Stage::new(&casemate)?, load);
    }
    let mut bench = Bench { report: Report::new(&casemate)?, me, scale: if args.quick { 10 } else { 1 } };
    let mut stage = Stage::new(&casemate)?;
    bench.start_and_memory(&stage, "start and memory, 1 plugin", (None, None))?;
    stage.grow(PLUGINS)?;
    bench.start_and_memory(&stage, "start and memory, 10 plugins", (Some("≤ 25 ms"), Some("≤ 30 MiB")))?;
    bench.every_plugin(&casemate)?;
    bench.stdio(&stage)?;
    bench.http(&stage)?;
    bench.report.print()?;
    args.json.as_deref().map_or(Ok(()), |path| bench.report.write(path))
}

struct Bench {
    report: Report,
    me: PathBuf,
    scale: usize,
}

impl Bench {
    fn native(&self, transport: &str) -> Command {
        let mut command = Command::new(&self.me);
        command.args(["--native", transport]);
        command
    }

    /// From the start of the process to the first answered call, and what it holds when nothing happens.
    fn start_and_memory(
        &mut self,
        stage: &Stage,
        group: &'static str,
        (start, memory): (Option<&'static str>, Option<&'static str>),
    ) -> Result<()> {
        let (mut native, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..self.starts() {
            native.push(start_once(self.native("stdio"), |client| client.call(&Work::new("echo", SHORT)).map(drop))?);
            ours.push(start_once(stage.serve(&[]), |client| client.call(&Work::new(PLAIN, SHORT)).map(drop))?);
        }
        for (what, of, target) in [
            ("handshake done, p50", (|start| start.ready) as fn(&Start) -> Duration, None),
            ("first call answered, p50", |start| start.answered, start),
        ] {
            let figures = (Some(milliseconds(&native, of, 50)), milliseconds(&ours, of, 50));
            self.report.add(group, what, Unit::Milliseconds, figures, target);
        }
        let ((native_all, native_own), (all, own)) = (resident(&native)?, resident(&ours)?);
        self.report.add(group, "resident when idle", Unit::Mebibytes, (Some(native_all), all), memory);
        self.report.add(group, "of it not backed by a file", Unit::Mebibytes, (Some(native_own), own), None);
        Ok(())
    }

    /// The same with every plugin of this repository, compiled when they were installed; up to the first answered `tools/list`.
    fn every_plugin(&mut self, casemate: &Path) -> Result<()> {
        let plugins = casemate_pages::plugins()?;
        let stage = Stage::of(casemate, &plugins)?;
        let (mut client, _) = Pipes::start(stage.serve(&[]))?;
        let tools = tools(client.list()?)?;
        drop(client);
        let missing = plugins.iter().find(|plugin| !tools.iter().any(|tool| tool.starts_with(&format!("{plugin}_"))));
        if let Some(missing) = missing {
            return Err(format!("`{missing}` is not served").into());
        }
        let starts = (0..self.starts()).map(|_| start_once(stage.serve(&[]), |client| client.list().map(drop)));
        let starts = starts.collect::<Result<Vec<_>>>()?;
        let (all, own) = resident(&starts)?;
        let count = |many: usize| u32::try_from(many).map(f64::from);
        let group = "start and memory, every plugin of this repository";
        for (what, unit, figure, target) in [
            ("plugins", Unit::Pieces, count(plugins.len())?, None),
            ("tools", Unit::Pieces, count(tools.len())?, None),
            ("handshake done, p50", Unit::Milliseconds, milliseconds(&starts, |start| start.ready, 50), None),
            ("handshake done, longest", Unit::Milliseconds, milliseconds(&starts, |start| start.ready, 100), None),
            ("tools listed, p50", Unit::Milliseconds, milliseconds(&starts, |start| start.answered, 50), Some("≤ 150 ms")),
            ("tools listed, longest", Unit::Milliseconds, milliseconds(&starts, |start| start.answered, 100), Some("≤ 150 ms")),
            ("resident when idle", Unit::Mebibytes, all, None),
            ("of it not backed by a file", Unit::Mebibytes, own, None),
        ] {
            self.report.add(group, what, unit, (None, figure), target);
        }
        Ok(())
    }

    fn starts(&self) -> usize {
        STARTS.div_ceil(self.scale).max(5)
    }

    fn stdio(&mut self, stage: &Stage) -> Result<()> {
        let (mut native, _) = Pipes::start(self.native("stdio"))?;
        let (mut ours, _) = Pipes::start(stage.serve(&[]))?;
        let processes = (native.process(), ours.process());
        for (group, bytes, tool, calls, target) in [
            ("stdio, one call at a time, 32 bytes", SHORT, PLAIN, 4000, Some("≤ 2.5")),
            ("stdio, one call at a time, 2 KiB", LONG, PLAIN, 4000, None),
            ("stdio, one call at a time, 32 bytes, budget", SHORT, BUDGETED, 500, None),
        ] {
            let works = (Work::new("echo", bytes), Work::new(tool, bytes));
            let samples = in_turns((&mut native, &mut ours), processes, &works, calls / self.scale)?;
            self.rows(group, samples, target);
        }
        self.throughput_over_stdio(&mut native, &mut ours)?;

        let telemetry = format!("[telemetry.otlp]\nendpoint = \"{}\"", collector::start()?);
        for (group, more, calls) in [
            ("stdio, one call at a time, 32 bytes, telemetry sent", telemetry.as_str(), 4000),
            ("stdio, one call at a time, audit.sync = \"always\"", "[audit]\nsync = \"always\"", 200),
        ] {
            let (mut ours, _) = Pipes::start(stage.serve_with(more)?)?;
            let works = (Work::new("echo", SHORT), Work::new(PLAIN, SHORT));
            let processes = (native.process(), ours.process());
            let samples = in_turns((&mut native, &mut ours), processes, &works, calls / self.scale)?;
            self.rows(group, samples, None);
        }
        Ok(())
    }

    fn throughput_over_stdio(&mut self, native: &mut Pipes, ours: &mut Pipes) -> Result<()> {
        let calls = 8000 / self.scale;
        let (mut rates, mut samples) = ((0.0, 0.0), (Sample::default(), Sample::default()));
        let (native_work, our_work) = (Work::new("echo", SHORT), Work::new(PLAIN, SHORT));
        let turns = u32::try_from(TURNS)?;
        for _ in 0..TURNS {
            for (server, work, rate, sample) in [
                (&mut *native, &native_work, &mut rates.0, &mut samples.0),
                (&mut *ours, &our_work, &mut rates.1, &mut samples.1),
            ] {
                let before = server.process().cpu()?;
                let (took, all) = server.pipelined(work, calls, DEPTH)?;
                sample.cpu += server.process().cpu()? - before;
                *rate += per_second(calls, all) / f64::from(turns);
                sample.took.extend(took);
            }
        }
        let group = "stdio, 16 calls at the same time, 32 bytes";
        self.report.add(group, "throughput", Unit::CallsPerSecond, (Some(rates.0), rates.1), Some("≥ 0.4"));
        self.rows(group, samples, None);
        Ok(())
    }

    fn http(&mut self, stage: &Stage) -> Result<()> {
        let token = stage.token()?;
        let native = http::Server::start(self.native("http"))?;
        let ours = http::Server::start(stage.serve(&["--http", "127.0.0.1:0"]))?;
        let processes = (native.process(), ours.process());
        let works = (Work::new("echo", SHORT), Work::new(PLAIN, SHORT));
        for (group, revision, target) in [
            ("HTTP, one call at a time, 2026-07-28", Revision::Stateless, Some("≤ 1.6")),
            ("HTTP, one call at a time, session of 2025-11-25", Revision::Session, None),
        ] {
            let mut clients = (native.connect(None, revision, &works.0)?, ours.connect(Some(&token), revision, &works.1)?);
            let samples = in_turns((&mut clients.0, &mut clients.1), processes, &works, 2000 / self.scale)?;
            self.rows(group, samples, target);
        }
        let (calls, turns) = (4000 / self.scale, u32::try_from(TURNS)?);
        let mut rates = (0.0, 0.0);
        for _ in 0..TURNS {
            rates.0 += per_second(calls, native.together(None, &works.0, calls, DEPTH)?) / f64::from(turns);
            rates.1 += per_second(calls, ours.together(Some(&token), &works.1, calls, DEPTH)?) / f64::from(turns);
        }
        self.report.add("HTTP, 16 connections, 2026-07-28", "throughput", Unit::CallsPerSecond, (Some(rates.0), rates.1), None);
        Ok(())
    }

    fn rows(&mut self, group: &'static str, (mut native, mut ours): (Sample, Sample), target: Option<&'static str>) {
        let both = |native: f64, ours: f64| (Some(native), ours);
        self.report.add(group, "p50", Unit::Microseconds, both(native.percentile(50), ours.percentile(50)), target);
        self.report.add(group, "p99", Unit::Microseconds, both(native.percentile(99), ours.percentile(99)), None);
        self.report.add(
            group,
            "processor time of the server, each",
            Unit::Microseconds,
            both(native.cpu_each(), ours.cpu_each()),
            None,
        );
    }
}

/// One start of a server.
struct Start {
    ready: Duration,
    answered: Duration,
    /// MiB: all that is resident, and what of it is not backed by a file.
    resident: (f64, f64),
}

fn start_once(command: Command, first: impl FnOnce(&mut Pipes) -> Result<()>) -> Result<Start> {
    let started = Instant::now();
    let (mut client, ready) = Pipes::start(command)?;
    first(&mut client)?;
    let answered = started.elapsed();
    // What it does after its first answer is done by then.
    thread::sleep(Duration::from_millis(100));
    let (all, own) = client.process().resident()?;
    let mebibytes = |kib: u64| u32::try_from(kib).map(|kib| f64::from(kib) / 1024.0);
    Ok(Start { ready, answered, resident: (mebibytes(all)?, mebibytes(own)?) })
}

/// What `percent` of all starts did not exceed.
fn milliseconds(starts: &[Start], of: fn(&Start) -> Duration, percent: usize) -> f64 {
    let mut sample = Sample { took: starts.iter().map(of).collect(), ..Sample::default() };
    sample.percentile(percent) / 1e3
}

/// What the last of them held.
fn resident(starts: &[Start]) -> Result<(f64, f64)> {
    Ok(starts.last().ok_or("nothing was started")?.resident)
}

/// The names of the tools in an answer.
fn tools(answer: &str) -> Result<Vec<String>> {
    let answer: Value = serde_json::from_str(answer)?;
    let tools = answer.pointer("/result/tools").and_then(Value::as_array).ok_or_else(|| format!("no tools: {answer}"))?;
    Ok(tools.iter().filter_map(|tool| tool.get("name")?.as_str()).map(str::to_owned).collect())
}

/// Ask both servers in turns, `calls` calls a turn, after some that do not count.
fn in_turns<C: Client>(
    (native, ours): (&mut C, &mut C),
    (native_process, our_process): (Process, Process),
    (native_work, our_work): &(Work, Work),
    calls: usize,
) -> Result<(Sample, Sample)> {
    let mut samples = (Sample::default(), Sample::default());
    for _ in 0..TURNS {
        for (client, process, work, sample) in
            [(&mut *native, native_process, native_work, &mut samples.0), (&mut *ours, our_process, our_work, &mut samples.1)]
        {
            for _ in 0..calls.div_ceil(20) {
                client.call(work)?;
            }
            let before = process.cpu()?;
            for _ in 0..calls {
                sample.took.push(client.call(work)?);
            }
            sample.cpu += process.cpu()? - before;
        }
    }
    Ok(samples)
}

fn per_second(calls: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(calls).unwrap_or(u32::MAX)) / took.as_secs_f64()
}
