//! What the system knows of a process, from /proc (proc_pid_stat(5), proc_pid_status(5)).

use std::{fs, time::Duration};

use crate::call::Result;

/// The unit of processor time in /proc: USER_HZ, which is 100 on every architecture that Rust's Linux targets have.
const TICK: Duration = Duration::from_millis(10);

/// A process by its id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn new(id: u32) -> Self {
        Self(id)
    }

    /// Processor time so far, of all its threads, in user and system mode.
    pub(crate) fn cpu(self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // After the name, which may hold spaces: state is field 3; utime and stime are 14 and 15.
        let (_, fields) = stat.rsplit_once(") ").ok_or("/proc/PID/stat has another form")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u32>).sum::<std::result::Result<u32, _>>()?;
        Ok(TICK * ticks)
    }

    /// Resident memory in KiB: all of it, and what is not backed by a file.
    pub(crate) fn resident(self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let field = |name: &str| -> Result<u64> {
            let value =
                status.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| *key == name).map(|(_, value)| value);
            Ok(value.and_then(|value| value.trim().strip_suffix(" kB")).ok_or("/proc/PID/status has another form")?.parse()?)
        };
        Ok((field("VmRSS")?, field("RssAnon")?))
    }
}
