//! What an answer without an end costs: a process of its own pulls it, and says how much memory it ever had.

use std::{env, io::Write, process::Command};

use crate::fixture::{COMPONENT, IMAGE, INDEX, Registry, chunked, endless, pull, reply, settings};

/// The child's reference. Only this file reads it.
const REFERENCE: &str = "CASEMATE_REGISTRY_TEST_REFERENCE";
/// A client with its TLS has about a quarter of it.
const MAX_PEAK_KIB: u64 = 64 * 1024;

#[tokio::test]
#[ignore = "a part of the others, run by them in a process of its own"]
async fn child() {
    let reference = env::var(REFERENCE).unwrap().parse().unwrap();
    let code = pull(&reference, settings()).await.map_or_else(|error| error.code(), |_| "ok");
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB");
    writeln!(std::io::stdout(), "result {code} {peak}").unwrap();
}

/// Pull in a process of its own; the refusal, and the most memory it had.
async fn peak(registry: &Registry) -> (String, u64) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["memory::child", "--exact", "--ignored", "--nocapture"]);
    command.env(REFERENCE, registry.at(":1.0.0").to_string());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| Some(line.split_once("result ")?.1)).unwrap_or_else(|| panic!("{text}"));
    let (code, peak) = line.split_once(' ').unwrap();
    (code.to_owned(), peak.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_end_costs_little_memory() {
    for (part, media_type) in [("/manifests/1.0.0", IMAGE), ("/referrers/", INDEX), ("/blobs/", "application/octet-stream")] {
        let typed = [("content-type", media_type)];
        let registry = Registry::with(move |seen| seen.is("GET", part).then(|| reply(200, &typed, endless()))).await;
        let (code, peak) = peak(&registry).await;
        assert!(["too-large", "length-differs"].contains(&code.as_str()), "{part}: {code}");
        assert!(peak < MAX_PEAK_KIB, "{part}: {peak} KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_size_costs_nothing_before_it_comes() {
    let registry = Registry::empty().await;
    registry.change(|store| {
        let package = store.package(|manifest| manifest["layers"][0]["size"] = (32 * 1024 * 1024).into());
        store.sign(&package, b"{}", |_| ());
    });
    let component = casemate_signing::Digest::of(COMPONENT).to_string();
    registry.fault(move |seen| seen.is("GET", &component).then(|| reply(200, &[], chunked(COMPONENT))));
    let (code, peak) = peak(&registry).await;
    assert_eq!(code, "length-differs");
    assert!(peak < MAX_PEAK_KIB, "{peak} KiB");
}
