//! Calls that an author records, whose targets only Caldera knows.

use std::fs;

use serde_json::{Value, json};

use super::range::{CHANGES, DISCOVERY, Range, WHOAMI, execute};

/// What a grant has to say for a recorded call is in its case, also where no argument says it.
#[test]
fn a_recorded_call_is_granted_what_caldera_said_it_is_about() {
    let range = Range::with(|house| {
        CHANGES.iter().fold(house, |house, tool| house.set(&format!("plugins.@.tools.{tool}.dry_run"), true))
    });
    let cases = range.0.folder().join("cases");
    fs::create_dir(&cases).unwrap();
    let set = json!({ "operation_id": range.operation("red-lab", DISCOVERY, "paused"), "state": "running" });
    let execute = execute(&range.operation("red-lab", "ad-hoc", "running"), "simpaw1", "red-lab", WHOAMI);
    for (tool, arguments, scope) in [
        ("set_operation_state", set, json!({ "group": ["red-lab"], "adversary": [DISCOVERY] })),
        ("execute_ability", execute, json!({ "group": ["red-lab"], "technique": ["T1033"] })),
    ] {
        range.forget();
        let file = cases.join(tool).with_extension("json");
        let out = file.display().to_string();
        range.0.casemate(&["record", &range.0.served(tool), &arguments.to_string(), "--out", &out]).done();
        let case: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(case["scope"], scope, "{case:#}");
    }
    let package = range.0.package_file();
    fs::write(package.with_extension("wasm.statement.json"), &range.0.package().statement).unwrap();
    let [package, cases] = [package, cases].map(|path| path.display().to_string());
    range.0.casemate(&["test", &package, "--cases", &cases]).done();
}
