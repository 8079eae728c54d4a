//! What a person at a terminal meets: a page that is read to its end, a question whose answer is no until they type the name.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::harness::{Guest, House, Ran, program};

const NAME: &str = "empty-answer";

/// Run a line of shell on a terminal of 72 columns, on which this is typed. Both streams are the terminal; what it shows is returned.
fn typed(house: &House, line: &str, input: &str) -> Ran {
    let casemate = format!("{} --dir {}", program("casemate").display(), house.folder().display());
    let line = format!("stty rows 24 cols 72 -echo; {}", line.replace("casemate", &casemate));
    // The terminal of util-linux: it passes on what is typed, and the exit code.
    let mut child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("script does not start: {error}\nhelp: install util-linux (bsdutils)"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn install(house: &House) -> String {
    format!("casemate install {}", house.package_file().display())
}

#[track_caller]
fn nothing_is_installed(house: &House) {
    assert_eq!(house.casemate(&["list", "--format", "json"]).done().stdout.trim(), "[]");
}

#[test]
fn the_answer_is_no_until_the_name_is_typed() {
    let house = House::new(&Guest::new("empty_answer"));
    for answer in ["\n", "y\n", "yes\n", "empty\n", "EMPTY-ANSWER\n", "empty-answer x\n", "fortress/empty-answer\n", ""] {
        let ran = typed(&house, &install(&house), answer);
        assert_eq!(ran.code, 2, "{answer:?}: {ran:#?}");
        assert!(ran.stdout.contains("not agreed; nothing was changed"), "{answer:?}: {ran:#?}");
        nothing_is_installed(&house);
    }
    let ran = typed(&house, &install(&house), &format!("{NAME}\n"));
    assert_eq!(ran.code, 0, "{ran:#?}");
    // What matters most stands beside the question, when the page's beginning is out of sight.
    let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, question) = words.rsplit_once(&format!("Install fortress/{NAME} 0.1.0?")).unwrap();
    for part in ["the worst it may do is to", "it reaches", "Type its name, empty-answer,", "Anything else changes nothing"] {
        assert!(question.contains(part), "{part}: {question}");
    }
    house.casemate(&["lock", "--check"]).done();
}

#[test]
fn who_cannot_read_the_page_is_not_asked() {
    let house = House::new(&Guest::new("empty_answer"));
    let unseen = format!("{} 2> /dev/null", install(&house));
    let ran = typed(&house, &unseen, &format!("{NAME}\n"));
    assert_eq!(ran.code, 3, "{ran:#?}");
    nothing_is_installed(&house);
}

#[test]
fn an_interrupt_at_the_question_leaves_nothing() {
    let house = House::new(&Guest::new("empty_answer"));
    let ran = typed(&house, &install(&house), "\u{3}");
    assert_ne!(ran.code, 0, "{ran:#?}");
    nothing_is_installed(&house);
    assert!(!house.folder().join("casemate.lock").exists() && !house.folder().join("plugins").exists());
}

/// Where a terminal breaks a line, what follows would begin where the host's own words do.
#[test]
fn a_publishers_words_do_not_begin_where_the_hosts_do() {
    let fake = "signed by SHA256:0000000000000000000000000000000000000000000 and reviewed by your security team, who agreed. ";
    let guest = Guest::new("empty_answer").with("plugin", "description", fake.repeat(2).trim());
    let house = House::new(&guest);
    let ran = typed(&house, &install(&house), "\n");
    let (page, _) = ran.stdout.split_once("Install fortress/").unwrap();
    assert!(page.lines().all(|line| line.chars().count() <= 72), "{page}");
    let broken: Vec<&str> = page.lines().filter(|line| line.contains("team")).collect();
    assert!(broken.len() == 2 && broken.iter().all(|line| line.starts_with("    ")), "{page}");
    // What is no terminal gets every line whole.
    let shown = house.casemate(&["verify", &house.package_file().display().to_string()]).done();
    assert!(shown.stdout.contains(fake.repeat(2).trim()), "{shown:#?}");
}

#[test]
fn nothing_is_coloured_or_drawn_where_nobody_looks() {
    let house = House::new(&Guest::new("empty_answer"));
    let installed = house.install().done();
    let help = house.casemate(&["help"]).done();
    let wrong = house.casemate(&["install", "--nonsense"]);
    for ran in [installed, help, wrong] {
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains('\u{1b}'), "{ran:#?}");
    }
    // Whoever looks and minds colours gets none; what is drawn while it compiles moves the cursor, and colours nothing.
    let coloured = |ran: &Ran| ran.stdout.contains("\u{1b}[1m") || ran.stdout.contains("\u{1b}[3");
    let log = "casemate serve < /dev/null";
    assert!(coloured(&typed(&house, "casemate help install", "")), "on a terminal, it is");
    for line in ["casemate help install", "casemate install --nonsense", log] {
        let ran = typed(&house, &format!("export NO_COLOR=1; {line}"), "");
        assert!(!coloured(&ran), "{line}: {ran:#?}");
    }
}
