//! What was measured, for people and for programs.

use std::{fs, io::Write, path::Path, process::Command, thread, time::Duration};

use serde::Serialize;

use crate::call::Result;

/// What figures are given in.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "µs")]
    Microseconds,
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "calls/s")]
    CallsPerSecond,
    #[serde(rename = "MiB")]
    Mebibytes,
    #[serde(rename = "")]
    Pieces,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Microseconds => format!("{value:.1} µs"),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::CallsPerSecond => format!("{value:.0} /s"),
            Self::Mebibytes => format!("{value:.2} MiB"),
            Self::Pieces => format!("{value:.0}"),
        }
    }
}

/// One figure of casemate, and the same of the native server where it has one.
#[derive(Debug, Serialize)]
struct Row {
    group: &'static str,
    what: String,
    unit: Unit,
    native: Option<f64>,
    casemate: f64,
    ratio: Option<f64>,
    target: Option<&'static str>,
}

/// Where and when.
#[derive(Debug, Serialize)]
struct Circumstances {
    casemate: String,
    date: String,
    processor: String,
    processors: usize,
    memory: String,
    kernel: String,
    load_before: String,
    load_after: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    circumstances: Circumstances,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(casemate: &Path) -> Result<Self> {
        let said =
            |command: &mut Command| -> Result<String> { Ok(String::from_utf8(command.output()?.stdout)?.trim().to_owned()) };
        let field = |text: String, name: &str| {
            let value = text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name);
            value.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
        };
        let circumstances = Circumstances {
            casemate: said(Command::new(casemate).arg("--version"))?,
            date: said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?,
            processor: field(fs::read_to_string("/proc/cpuinfo")?, "model name"),
            processors: thread::available_parallelism()?.get(),
            memory: field(fs::read_to_string("/proc/meminfo")?, "MemTotal"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load_before: load()?,
            load_after: String::new(),
        };
        Ok(Self { circumstances, rows: Vec::new() })
    }

    /// Add a figure.
    pub(crate) fn add(
        &mut self,
        group: &'static str,
        what: &str,
        unit: Unit,
        (native, casemate): (Option<f64>, f64),
        target: Option<&'static str>,
    ) {
        let ratio = native.map(|native| casemate / native).filter(|ratio| ratio.is_finite());
        self.rows.push(Row { group, what: what.to_owned(), unit, native, casemate, ratio, target });
    }

    /// The table, on standard output.
    pub(crate) fn print(&mut self) -> Result<()> {
        self.circumstances.load_after = load()?;
        let Circumstances { casemate, date, processor, processors, memory, kernel, load_before, load_after } =
            &self.circumstances;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{casemate}, {date}")?;
        writeln!(out, "{processors} × {processor}, {memory}, Linux {kernel}, load {load_before} before and {load_after} after")?;
        let mut group = "";
        for row in &self.rows {
            if row.group != group {
                group = row.group;
                writeln!(out, "\n{group:<52}{:>12}{:>12}{:>9}   target", "native", "casemate", "ratio")?;
            }
            let native = row.native.map_or_else(|| "–".to_owned(), |native| row.unit.show(native));
            let ratio = row.ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
            let line = format!(
                "  {:<50}{native:>12}{:>12}{ratio:>9}   {}",
                row.what,
                row.unit.show(row.casemate),
                row.target.unwrap_or_default()
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// The same as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(fs::write(path, format!("{}\n", serde_json::to_string_pretty(self)?))?)
    }
}

fn load() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

/// Durations of calls, and what they cost the server's processors.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) took: Vec<Duration>,
    pub(crate) cpu: Duration,
}

impl Sample {
    /// The duration that `percent` of all calls did not exceed, in microseconds.
    pub(crate) fn percentile(&mut self, percent: usize) -> f64 {
        self.took.sort_unstable();
        let at = (self.took.len() * percent).div_ceil(100).saturating_sub(1);
        self.took.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
    }

    /// Processor time for one call, in microseconds.
    pub(crate) fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / f64::from(u32::try_from(self.took.len()).unwrap_or(u32::MAX))
    }
}
