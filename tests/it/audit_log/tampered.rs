//! A copy of the log's folder, a public key, and a command: what was done to the files is said, with the place, and the exit code is 2.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    caldera::range::{DISCOVERY, Range, create},
    harness::{Guest, House, Ran, program},
};

const FIRST: &str = "00000000000000000000.jsonl";

/// A copy of a house's log, and its public key.
struct Copy(TempDir);

impl Copy {
    fn of(house: &House) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        cp(&house.folder().join("state/dev/audit"), &copy.path("audit"));
        cp(&house.folder().join("state/dev/audit.pub"), &copy.path("audit.pub"));
        copy
    }

    /// For one more attack.
    fn again(&self) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        cp(&self.path("audit"), &copy.path("audit"));
        cp(&self.path("audit.pub"), &copy.path("audit.pub"));
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn chain(&self, file: &str) -> PathBuf {
        self.path("audit/chain-0").join(file)
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.chain(FIRST)).unwrap().lines().map(str::to_owned).collect()
    }

    fn write(&self, lines: &[String]) {
        fs::write(self.chain(FIRST), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }

    /// As an auditor does it, on a machine that has nothing else of the host.
    fn verify(&self) -> Ran {
        let mut command = Command::new(program("casemate"));
        command.arg("--dir").arg(self.path("nothing")).args(["audit", "verify", "--folder"]).arg(self.path("audit"));
        Ran::of(command.arg("--key").arg(self.path("audit.pub")))
    }

    #[track_caller]
    fn named(&self, place: &str) {
        let ran = self.verify();
        assert!(ran.code == 2 && ran.stdout.is_empty() && ran.stderr.contains(place), "`{place}` is not in {ran:#?}");
    }
}

fn cp(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-pR").args([from, to]).status().unwrap().success());
}

/// Two chains: of a server, and of a command that ran beside it.
fn two() -> House {
    let mut house = House::serving(&Guest::new("empty_answer"));
    for _ in 0..20 {
        house.goes_on();
    }
    house.casemate(&["call", &house.served("ping")]).done();
    house.close();
    house
}

#[test]
fn every_record_that_was_changed_deleted_put_in_moved_or_cut_off_is_named() {
    let copy = Copy::of(&two());
    let whole = copy.verify().done();
    assert!(whole.stdout.contains("chain-0: ") && whole.stdout.contains("chain-1: ") && whole.stderr.is_empty(), "{whole:#?}");
    let lines = copy.lines();
    let last = lines.len() - 1;
    for at in [0, 1, last / 2, last - 1, last] {
        let attack = |change: &dyn Fn(&mut Vec<String>), place: String| {
            let mut changed = lines.clone();
            change(&mut changed);
            let attacked = copy.again();
            attacked.write(&changed);
            attacked.named(&place);
        };
        attack(
            &|lines| lines[at] = lines[at].replace("\"principal_id\":\"", "\"principal_id\":\"x"),
            format!("record {at} (`{FIRST}` line {}, ", at + 1),
        );
        attack(
            &|lines| drop(lines.remove(at)),
            if at == last { format!("it has {last} records") } else { format!("record {at} (") },
        );
        attack(&|lines| lines.insert(at, lines[at].clone()), format!("record {} (", at + 1));
        attack(&|lines| lines.truncate(at), format!("cut short: it has {at} records"));
        if at < last {
            attack(&|lines| lines.swap(at, at + 1), format!("record {at} ("));
        }
    }
    // Line ends as another system writes them, and an empty line.
    for (from, to) in [("\n", "\r\n"), ("\n", "\n\n")] {
        let attacked = copy.again();
        fs::write(attacked.chain(FIRST), fs::read_to_string(copy.chain(FIRST)).unwrap().replace(from, to)).unwrap();
        attacked.named("record ");
    }
}

#[test]
fn checkpoints_that_were_changed_or_taken_away_are_missed() {
    let copy = Copy::of(&two());
    let text = fs::read_to_string(copy.chain("checkpoints")).unwrap();
    let (first, notes) = (text.lines().count(), text.matches("casemate.audit/").count());
    assert!(first >= 5 && notes >= 2);
    for line in 0..5 {
        let attacked = copy.again();
        let changed: Vec<String> = text
            .lines()
            .enumerate()
            .map(|(number, text)| if number == line { format!("x{text}") } else { text.to_owned() })
            .collect();
        fs::write(attacked.chain("checkpoints"), changed.join("\n") + "\n").unwrap();
        attacked.named("the checkpoint on line ");
    }
    for gone in [&["checkpoints"][..], &["checkpoints", "tlog"]] {
        let attacked = copy.again();
        for name in gone {
            let path = attacked.chain(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        attacked.named(if gone.len() == 1 {
            "it is gone from `checkpoints`"
        } else {
            "records is signed for: `checkpoints` has none"
        });
    }
    // A key that nobody handed over to, and tiles that are not of these records.
    let attacked = copy.again();
    fs::write(attacked.chain("keys"), text.lines().take(5).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    attacked.named("audit-keys: the handover on line 1");
    let tile = copy.chain("tlog/tile/0");
    let partial = fs::read_dir(tile.join("000.p")).unwrap().map(|entry| entry.unwrap().file_name()).next().unwrap();
    let name = format!("tlog/tile/0/000.p/{}", partial.to_str().unwrap());
    let attacked = copy.again();
    let mut bytes = fs::read(copy.chain(&name)).unwrap();
    bytes[7] ^= 1;
    fs::write(attacked.chain(&name), bytes).unwrap();
    attacked.named(&format!("audit-tile: `{name}`"));
}

#[test]
fn chains_that_were_deleted_swapped_doubled_or_brought_along_are_named() {
    let (house, other) = (two(), two());
    let copy = Copy::of(&house);
    let (zero, one) = ("audit/chain-0", "audit/chain-1");
    let attack = |change: &dyn Fn(&Copy), place: &str| {
        let attacked = copy.again();
        change(&attacked);
        attacked.named(place);
    };
    attack(&|copy| fs::remove_dir_all(copy.path(zero)).unwrap(), "audit/chain-0 is gone");
    let swap = |copy: &Copy| {
        fs::rename(copy.path(zero), copy.path("audit/aside")).unwrap();
        fs::rename(copy.path(one), copy.path(zero)).unwrap();
        fs::rename(copy.path("audit/aside"), copy.path(one)).unwrap();
    };
    attack(&swap, "chain-0: audit-chain: another chain has been put in its place: it calls itself `chain-1`");
    let double = |copy: &Copy| {
        fs::remove_dir_all(copy.path(one)).unwrap();
        cp(&copy.path(zero), &copy.path(one));
    };
    attack(&double, "chain-1: audit-chain: another chain has been put in its place: it calls itself `chain-0`");
    let bring = |copy: &Copy| {
        fs::remove_dir_all(copy.path(one)).unwrap();
        cp(&other.folder().join("state/dev").join(one), &copy.path(one));
    };
    attack(&bring, "chain-1: the checkpoint on line 1 of `checkpoints` is not valid: it belongs to another log");
    // The last chain of a copy leaves no gap; where the host is, it is missed.
    let state = house.folder().join("state/dev");
    fs::rename(state.join(one), state.join("aside")).unwrap();
    let ran = house.casemate(&["audit", "verify"]);
    assert!(ran.code == 2 && ran.stderr.contains("audit/chain-1 is gone"), "{ran:#?}");
    fs::rename(state.join("aside"), state.join(one)).unwrap();
    let heads = fs::read(state.join("audit.heads")).unwrap();
    for at in [0, heads.len() / 2, heads.len() - 2] {
        let mut bytes = heads.clone();
        bytes[at] ^= 1;
        fs::write(state.join("audit.heads"), bytes).unwrap();
        let ran = house.casemate(&["audit", "verify"]);
        assert!(ran.code == 2 && ran.stderr.contains("audit.heads"), "byte {at}: {ran:#?}");
    }
    fs::remove_file(state.join("audit.heads")).unwrap();
    let ran = house.casemate(&["audit", "verify"]);
    assert!(ran.code == 2 && ran.stderr.contains("audit.heads` is gone"), "{ran:#?}");
    fs::write(state.join("audit.heads"), heads).unwrap();
    house.casemate(&["audit", "verify"]).done();
}

#[test]
fn what_a_call_sent_is_kept_as_it_was_or_missed() {
    let range = Range::open();
    range.call("create_operation", create("red-lab", DISCOVERY)).done(&[]);
    let copy = Copy::of(&range.0);
    copy.verify().done();
    let file = fs::read_dir(copy.chain("details")).unwrap().next().unwrap().unwrap().file_name();
    let name = format!("details/{}", file.to_str().unwrap());
    let attacked = copy.again();
    fs::remove_file(attacked.chain(&name)).unwrap();
    attacked.named("audit-details: the details of the call that record ");
    let attacked = copy.again();
    fs::write(attacked.chain(&name), fs::read_to_string(copy.chain(&name)).unwrap().replace("red-lab", "blue-lab")).unwrap();
    attacked.named("ends were changed");
}
