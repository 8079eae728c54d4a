//! Executors: the command of an ability for one platform, and which of them an agent takes.

use casemate_plugin::tolerant::{Few, Number, Text, Verbatim};
use serde::Deserialize;

use crate::agents::Agent;

/// Bytes of a command that can be run. The longest of the atomic plugin's are a few thousand.
const COMMAND: usize = 32 * 1024;
/// Seconds for a command, at most; also what Caldera waits for where nothing is said is 60.
const TIMEOUT: i64 = 3_600;

/// What Caldera itself fills in for a link that is asked for. Everything else would stay in the command as it stands.
const FILLED_IN: [&str; 6] = ["server", "group", "paw", "location", "exe_name", "upstream_dest"];

/// One executor, as Caldera sends it. What is sent back is kept exactly.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Executor {
    pub(crate) name: Verbatim<64>,
    pub(crate) platform: Verbatim<64>,
    pub(crate) command: Verbatim<COMMAND>,
    timeout: Number,
    cleanup: Few<Text<500>, 10>,
    payloads: Few<Text<128>, 20>,
    /// Source that Caldera would compile, or nothing.
    code: Text<20>,
}

impl Executor {
    /// What takes it back.
    pub(crate) fn cleanup(&self) -> Vec<String> {
        self.cleanup.0.iter().filter_map(|text| text.0.clone()).collect()
    }

    /// The files it brings along.
    pub(crate) fn payloads(&self) -> Vec<String> {
        self.payloads.0.iter().filter_map(|text| text.0.clone()).collect()
    }

    /// Seconds it may take, where it says so in a way that makes sense.
    pub(crate) fn timeout(&self) -> Option<i64> {
        self.timeout.0.filter(|seconds| (1..=TIMEOUT).contains(seconds))
    }

    /// Why it cannot be run by itself. An operation does more for a command than a request for a link can: it learns what variables
    /// stand for, compiles and brings along files.
    pub(crate) fn obstacle(&self) -> Option<String> {
        if self.command.as_str().trim().is_empty() {
            return Some("it has no command, or one that is too long".to_owned());
        }
        if !self.payloads.0.is_empty() || self.code.0.is_some() {
            return Some("it brings files along, which only an operation's adversary can".to_owned());
        }
        let variable = variables(self.command.as_str()).find(|name| !FILLED_IN.contains(name))?;
        Some(format!("its command needs `{}`, which only an operation learns", casemate_plugin::clip(variable, 60)))
    }
}

/// The names in every `#{name}` of a command. What begins and does not end is a name, too.
fn variables(command: &str) -> impl Iterator<Item = &str> {
    command.split("#{").skip(1).map(|rest| rest.split_once('}').map_or(rest, |(name, _)| name))
}

/// The executor that an agent takes among those, as Caldera's planners choose: of the agent's platform, `psh` before `sh` before the
/// order that the agent names them in.
pub(crate) fn choose<'a>(executors: impl Iterator<Item = &'a Executor> + Clone, agent: &Agent) -> Option<&'a Executor> {
    let names = || agent.executors.0.iter().map(|name| name.as_str());
    let preferred = ["psh", "sh"].into_iter().find(|name| names().any(|own| own == *name));
    preferred
        .into_iter()
        .chain(names())
        .find_map(|name| executors.clone().find(|it| it.name.as_str() == name && it.platform.as_str() == agent.platform.as_str()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn executor(name: &str, platform: &str, command: &str) -> Executor {
        serde_json::from_value(json!({ "name": name, "platform": platform, "command": command })).unwrap()
    }

    #[test]
    fn an_agent_takes_what_caldera_would_give_it() {
        let all = [
            executor("sh", "darwin", "1"),
            executor("bash", "linux", "2"),
            executor("sh", "linux", "3"),
            executor("cmd", "windows", "4"),
            executor("psh", "windows", "5"),
        ];
        for (platform, names, expected) in [
            ("linux", vec!["bash", "sh"], Some("3")),
            ("linux", vec!["bash"], Some("2")),
            ("linux", vec!["proc", "bash"], Some("2")),
            ("windows", vec!["cmd", "psh"], Some("5")),
            ("windows", vec!["cmd"], Some("4")),
            ("windows", vec!["sh", "cmd"], Some("4")),
            ("linux", vec!["proc"], None),
            ("linux", vec![], None),
            ("Linux", vec!["sh"], None),
            ("", vec!["sh"], None),
        ] {
            let agent: Agent = serde_json::from_value(json!({ "platform": platform, "executors": names })).unwrap();
            let found = choose(all.iter(), &agent).map(|it| it.command.as_str());
            assert_eq!(found, expected, "{platform} {names:?}");
        }
    }

    #[test]
    fn a_command_that_would_not_be_whole_is_an_obstacle() {
        let check = |command: &str, expected: Option<&str>| {
            let found = executor("sh", "linux", command).obstacle();
            assert_eq!(found.is_some(), expected.is_some(), "{command}: {found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{command}");
        };
        check("whoami", None);
        check("curl #{server}/x -H '#{paw} #{group}'", None);
        check("echo } #{location}", None);
        check("cat #{host.file.path}", Some("`host.file.path`"));
        check("cat #{server} #{host.file.path", Some("`host.file.path`"));
        check("#{payload:1234}", Some("`payload:1234`"));
        check("#{}", Some("``"));
        check("#{#{server}}", Some("``"));
        check("#{Server}", Some("`Server`"));
        check("", Some("no command"));
        check(" \n", Some("no command"));
        check(&"x".repeat(COMMAND + 1), Some("too long"));
        let with = |member: &str, value: serde_json::Value| -> Executor {
            serde_json::from_value(json!({ "name": "sh", "platform": "linux", "command": "./x", member: value })).unwrap()
        };
        for it in [with("payloads", json!(["x"])), with("payloads", json!([7])), with("code", json!("int main() {}"))] {
            assert!(it.obstacle().is_some_and(|why| why.contains("files")), "{it:?}");
        }
        assert_eq!(with("payloads", json!([])).obstacle(), None);
        assert_eq!(with("code", json!(null)).obstacle(), None);
    }

    #[test]
    fn a_timeout_makes_sense() {
        for (timeout, expected) in
            [(json!(60), Some(60)), (json!(0), None), (json!(-1), None), (json!(1e9), None), (json!("9"), None)]
        {
            let it: Executor = serde_json::from_value(json!({ "timeout": timeout })).unwrap();
            assert_eq!(it.timeout(), expected, "{timeout}");
        }
    }
}
