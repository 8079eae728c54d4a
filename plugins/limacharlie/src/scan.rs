//! A YARA scan of one process or one file on one sensor.

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{
    Context, Failure, Readable, Response,
    field::{Passage, Whole},
    leak, path,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, SCAN, Said},
    field::{FilePath, Id, Tag},
    sensors,
};

/// What the scan's events are found by.
const INVESTIGATION: &str = "casemate-yara-scan";

/// Arguments of `yara_scan`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The sensor's id (SID)
    sensor: Id,
    /// A tag that the sensor has and that is granted
    tag: Tag,
    /// The YARA rule itself
    rule: Passage<16_000>,
    /// The process to scan, by its number; or else a path
    #[serde(default)]
    pid: Option<Whole<1, 4_294_967_295>>,
    /// The file to scan, by its whole path; or else a pid
    #[serde(default)]
    path: Option<FilePath>,
}

/// A scan that began.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Started {
    sensor: Id,
    /// The investigation that its events carry
    investigation: String,
}

pub(crate) fn scan(args: Arguments, cx: &Context) -> Result<Started, Failure> {
    let Arguments { sensor, tag, rule, pid, path } = args;
    let task = task(rule.as_str(), pid, path.as_ref())?;
    let (online, tags) = sensors::state(cx, &sensor)?;
    if !tags.iter().any(|it| it == tag.as_str()) {
        return Err(Failure::unauthorized(format!(
            "nothing was scanned: LimaCharlie does not say that the sensor has the tag `{tag}`"
        )));
    }
    if !online {
        return Err(Failure::unavailable("nothing was scanned: the sensor is not online"));
    }
    let request = api::limacharlie(cx).post(path!("/v1/{}", sensor));
    let request = request.form([("tasks", task.as_str()), ("investigation_id", INVESTIGATION)]);
    let Said { error, .. } = SCAN.send(request, refused)?;
    if error.0.is_some() {
        return Err(SCAN.unknown("LimaCharlie's answer says that something went wrong"));
    }
    Ok(Started { sensor, investigation: INVESTIGATION.to_owned() })
}

/// The command line of the scan. A rule in base64 is the rule; anything else could be an address that it is fetched from.
fn task(rule: &str, pid: Option<Whole<1, 4_294_967_295>>, path: Option<&FilePath>) -> Result<String, Failure> {
    let refused = |why: &str| Err(Failure::invalid_arguments(format!("nothing was scanned: {why}")));
    let place = match (pid, path) {
        (Some(pid), None) => format!("--pid {}", pid.number()),
        (None, Some(path)) => format!("--filePath \"{}\"", path.as_str().replace('\\', "\\\\")),
        _ => return refused("give either the pid of a process or the path of a file"),
    };
    let words = || rule.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    if !words().any(|word| word == "rule") || !words().any(|word| word == "condition") {
        return refused("a YARA rule has the words rule and condition");
    }
    if words().any(|word| word == "include") {
        return refused("a rule that includes a file is not sent; put all of it into the rule");
    }
    if let Some(what) = leak::found(rule) {
        return refused(&format!("the rule holds {what}, which every sensor and LimaCharlie would see"));
    }
    Ok(format!("yara_scan {place} {}", STANDARD.encode(rule)))
}

fn refused(answer: &Response) -> Failure {
    api::failure(answer, "scan")
}

impl Readable for Started {
    fn text(&self) -> String {
        let Self { sensor, investigation } = self;
        format!("{sensor} was told to scan; what it finds comes as YARA_DETECTION events of the investigation {investigation}")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const RULE: &str = "rule x { strings: $a = \"evil\" condition: $a }";

    #[test]
    fn a_task_is_one_scan_of_one_place() {
        let encoded = STANDARD.encode(RULE);
        assert_eq!(task(RULE, Whole::new(7), None).unwrap(), format!("yara_scan --pid 7 {encoded}"));
        let path: FilePath = "C:\\Program Files\\a.exe".parse().unwrap();
        assert_eq!(
            task(RULE, None, Some(&path)).unwrap(),
            format!("yara_scan --filePath \"C:\\\\Program Files\\\\a.exe\" {encoded}")
        );
        assert!(task(RULE, None, None).is_err() && task(RULE, Whole::new(7), Some(&path)).is_err());
    }

    #[test]
    fn what_is_no_rule_is_not_sent() {
        let key = format!("rule x {{ strings: $a = \"AKIA{}\" condition: $a }}", "A1B2C3D4".repeat(2));
        for rule in [
            "https://evil.example/rule.yar",
            "hive://yara/x",
            "os_kill_process --pid 1",
            "include \"/etc/shadow\"\nrule x { condition: true }",
            &key,
        ] {
            let failure = task(rule, Whole::new(7), None).unwrap_err();
            assert!(failure.message().starts_with("nothing was scanned"), "{failure}");
        }
    }
}
