//! A network of a test's own.

use std::{env, process::Command};

/// Set inside.
const INSIDE: &str = "CASEMATE_TEST_NAMESPACE";

/// Run this test again in a namespace that `unshare` makes with these arguments and that this script sets up: there, what it is for is
/// done. The machine may not allow that: then it says so.
pub(crate) fn alone(name: &str, arguments: &[&str], script: &str, test: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return test();
    }
    let unshare = |script: &str, rest: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(arguments).args(["--", "sh", "-c", script, "sh"]).args(rest);
        command
    };
    let allowed = unshare(script, &[]).output();
    if let Some(why) = match &allowed {
        Ok(ran) if ran.status.success() => None,
        Ok(ran) => Some(String::from_utf8_lossy(&ran.stderr).into_owned()),
        Err(error) => Some(error.to_string()),
    } {
        eprintln!("{name} is not tried: this machine allows no network namespaces: {}", why.trim());
        return;
    }
    let this = env::current_exe().unwrap().display().to_string();
    let script = format!("{script} && exec \"$@\"");
    let ran = unshare(&script, &[&this, name, "--exact", "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}
