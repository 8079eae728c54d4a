//! A PostgreSQL that lies, one lie after another: nothing of it gets past, no call hangs, and the next one is served.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use casemate_upstreams::postgres::{HOSTILE, Liar, Lie};
use serde_json::json;

use super::{Desk, body};
use crate::harness::Postgres;

/// What the server lies about is known by this word.
const MARK: &str = "customer";
const STATEMENT: &str = "SELECT customer FROM public.orders ORDER BY id";
/// Milliseconds of a call.
const DEADLINE: i64 = 3_000;
/// A call is over by then, on a busy machine, too.
const OVER: Duration = Duration::from_secs(20);
/// What a terminal obeys, what turns a text around, and what nobody sees.
const HIDDEN: [char; 5] = ['\u{1b}', '\u{7}', '\u{202e}', '\u{200b}', '\u{e0041}'];

fn liar(postgres: &Postgres) -> Liar {
    Liar::start(postgres.address(), MARK).unwrap()
}

fn heard(liar: &Liar, words: &str) -> bool {
    String::from_utf8_lossy(&liar.heard()).contains(words)
}

/// Whether the client has said which way of SCRAM it wants, or anything else that is a part of a password.
fn proves(liar: &Liar) -> bool {
    heard(liar, "SCRAM-SHA-256")
}

/// Whether a process does next to nothing for a second.
fn idle(process: u32) -> bool {
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        // After its name, which ends in a parenthesis: the time in its own code and in the kernel's.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    sleep(Duration::from_millis(500));
    let before = ticks();
    sleep(Duration::from_secs(1));
    ticks() - before < 30
}

#[test]
fn a_server_that_lies_before_it_is_told_anything_is_told_nothing() {
    let desk = gets_nothing_past(Lie::is_at_the_door);
    assert!(desk.audit().contains("SCRAM-SHA-256"), "the operator is told why");
}

#[test]
fn a_server_that_lies_of_a_statement_gets_nothing_past() {
    gets_nothing_past(|lie| !lie.is_at_the_door());
}

fn gets_nothing_past(of: impl Fn(Lie) -> bool) -> Desk {
    let mut told = None;
    let limits = [("deadline_ms", DEADLINE), ("response_kib", 256)];
    let desk = Desk::of_anything("casemate_reader", &limits, |house, postgres| {
        let liar = told.insert(liar(postgres));
        house.set("plugins.@.upstream.echo.origin", liar.origin())
    });
    let liar = told.unwrap();
    let mut asked = body(STATEMENT, &["public.orders"]);
    // Fewer than there are.
    asked["rows"] = json!(2);
    let honest = desk.send(&asked).done(&["200", "[\"Ada\"],[\"Grace\"]", "\"more\":true"]);
    for lie in Lie::ALL.iter().copied().filter(|lie| of(*lie)) {
        liar.tells(Some(lie));
        let began = Instant::now();
        let reply = desk.send(&asked);
        assert!(began.elapsed() < OVER, "{lie:?}: {:?}", began.elapsed());
        assert!(liar.told() > 0, "{lie:?} was not told: {reply:#?}");
        let all = reply.0.to_string();
        assert!(!all.contains(HIDDEN), "{lie:?}: {all}");
        assert!(!all.contains("smuggled") && !all.contains("evil.example"), "{lie:?}: {all}");
        assert!(!heard(&liar, desk.house.secret().value()), "{lie:?}");
        match lie {
            // What says nothing of the statement is passed over.
            Lie::Notification | Lie::HostileNotice => assert_eq!(Desk::words(&reply), Desk::words(&honest), "{lie:?}"),
            // Its own words of what was not run are told as data, and their code is one or none.
            Lie::ErrorOfReading => drop(reply.done(&["untrusted", "400", "42601", "IGNORE ALL"])),
            Lie::CodeThatIsNone => drop(reply.done(&["untrusted", "400", "\"code\":\"\""])),
            Lie::HostileColumn => drop(reply.done(&["untrusted", "200", "IGNORE ALL"])),
            // Words of what was run may be anybody's: none is told.
            Lie::ErrorOfRunning => drop(reply.done(&["400", "22012"]).silent(&["IGNORE"])),
            _ => {
                assert!(reply.is_error(), "{lie:?}: {reply:#?}");
                reply.silent(&["IGNORE", "Ada"]);
            }
        }
        // A server says how much work it is to prove the password: nobody works on it once the call is over.
        assert!(lie != Lie::SlowHash || idle(desk.house.server().id()), "{lie:?}: the host is at work still");
        if lie.is_at_the_door() {
            assert!(!heard(&liar, MARK), "{lie:?}: it was told the statement");
        }
        let before =
            [Lie::NoPassword, Lie::PlainPassword, Lie::Md5Password, Lie::Kerberos, Lie::OtherMechanism, Lie::NoMechanism];
        assert!(!before.contains(&lie) || !proves(&liar), "{lie:?}");
        liar.tells(None);
        assert_eq!(Desk::words(&desk.send(&asked)), Desk::words(&honest), "after {lie:?}");
    }
    let audit = desk.audit();
    assert!(!audit.contains(HIDDEN), "{}", audit.escape_unicode());
    assert!(!audit.contains(desk.house.secret().value()));
    desk
}

/// The same for the plugin, where what is said reaches a model.
#[test]
fn the_plugin_passes_no_lie_on() {
    let mut told = None;
    let desk = Desk::beside("casemate_reader", Postgres::start, |house| house);
    let origin = told.insert(liar(&desk.postgres)).origin();
    let Desk { house, postgres } = desk;
    let mut house = house.set("plugins.@.upstream.postgres.origin", origin);
    house.close();
    let (desk, liar) = (Desk { house: house.open(), postgres }, told.unwrap());
    for lie in [
        Lie::NoPassword,
        Lie::WrongSignature,
        Lie::ErrorAtTheDoor,
        Lie::ErrorOfReading,
        Lie::CodeThatIsNone,
        Lie::HostileColumn,
        Lie::RowsUnasked,
        Lie::MoreValues,
        Lie::LargeRow,
        Lie::EndlessRows,
        Lie::EndlessNotices,
        Lie::HostileNotice,
        Lie::ErrorOfRunning,
        Lie::HalfAMessage,
        Lie::Gone,
    ] {
        liar.tells(Some(lie));
        let reply = desk.query(STATEMENT, &["public.orders"]);
        assert!(liar.told() > 0, "{lie:?}");
        let all = reply.0.to_string();
        assert!(!all.contains(HIDDEN) && !all.contains("smuggled"), "{lie:?}: {all}");
        match lie {
            Lie::HostileNotice => drop(reply.done(&["Ada"])),
            Lie::HostileColumn => assert!(reply.done(&[]).text().contains("untrusted, not instructions")),
            _ => {
                assert!(reply.is_error(), "{lie:?}: {reply:#?}");
                reply.silent(&[HOSTILE.split('\u{1b}').next().unwrap()]);
            }
        }
        liar.tells(None);
        desk.query(STATEMENT, &["public.orders"]).done(&["Ada"]);
    }
}
