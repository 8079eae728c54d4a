//! Coming in, and what keeps others out.

use std::{thread, time::Duration};

use super::{PAGES, facts, records, waiting};
use crate::{
    approvals::{asked, shown},
    harness::{Browser, Console, Guest, House, Http, Page},
};

fn served() -> (House, Console) {
    let house = House::serving(&Guest::new("effect_above_tool"));
    let console = Console::start(&house);
    (house, console)
}

#[test]
fn who_has_not_come_in_sees_nothing() {
    let (_house, console) = served();
    let mut nobody = console.browser();
    for page in PAGES.into_iter().chain(["/console/audit/1", "/console/plugins/fortress/effect-above-tool", "/console/nowhere"]) {
        let answer = nobody.get(page);
        assert_eq!(answer.status, 303, "{page}");
        assert!(answer.header("location").unwrap().starts_with("/console/login"), "{answer:?}");
        assert!(answer.body.is_empty());
    }
    for page in ["/console/live", "/console/audit"] {
        nobody.get_with(page, ("x-casemate-live", "1")).is(401, &["nobody is signed in"]);
    }
    for form in ["/console/callers/resume", "/console/approvals/0123456789abcdef0123", "/console/logout"] {
        nobody.post(form, &[("principal", "local")]).is(401, &["nobody is signed in"]);
    }
    let mut guessed = console.browser();
    guessed.cookie = Some("casemate-console=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
    assert_eq!(guessed.get("/console").status, 303);
    nobody.get("/console/login").is(200, &["casemate console login"]);
}

#[test]
fn a_link_is_good_once_and_the_second_time_it_is_said() {
    let (house, console) = served();
    let link = console.link();
    let mut first = console.browser();
    // Looking at the link's page, as a program that looks ahead does, does not use it up.
    first.get(link.split_once(console.address()).unwrap().1).is(200, &["good once"]);
    first.follow(link).to("/console");
    first.get("/console").is(200, &["Signed in as"]);
    let mut second = console.browser();
    second.follow(link).is(403, &["this link was used already", "stop the console"]);
    assert_eq!(second.cookie, None);
    let made_up = format!("{}x", link);
    console.browser().follow(&made_up).is(403, &["none that this console made"]);
    // Another one, from the command line.
    let again = house.casemate(&["console", "login"]).done().stdout;
    console.browser().follow(again.trim()).to("/console");
    assert!(console.stop());
    let accepted = records(&house, "auth.accepted");
    assert_eq!(accepted.iter().map(|record| facts(record)["how"].clone()).collect::<Vec<_>>(), ["link", "link"]);
    let refused: Vec<_> = records(&house, "auth.refused").iter().map(|record| facts(record)["reason"].clone()).collect();
    assert_eq!(refused, ["link-used", "link-unknown"]);
}

#[test]
fn who_signs_out_is_out() {
    let (house, console) = served();
    let mut browser = console.local();
    let before = browser.clone();
    browser.fill("/console", "/console/logout", &[]).to("/console/login");
    assert_eq!(browser.cookie, None);
    assert_eq!(before.get("/console").status, 303, "the cookie that somebody kept opens nothing");
    assert_eq!(facts(&records(&house, "auth.ended")[0])["console"], "local");
}

#[test]
fn a_session_ends_with_its_console() {
    let (house, console) = served();
    let browser = console.local();
    assert!(console.stop());
    let console = Console::start(&house);
    let mut other = console.browser();
    other.cookie.clone_from(&browser.cookie);
    assert_eq!(other.get("/console").status, 303);
    assert!(console.stop());
    house.casemate(&["console", "login"]).refused(&["no console runs on this state"]);
}

/// DNS rebinding: a page of another name that leads to this machine.
#[test]
fn the_console_is_served_under_its_own_names_alone() {
    let (_house, console) = served();
    let browser = console.local();
    let cookie = browser.cookie.clone().unwrap();
    for host in ["evil.example", "127.0.0.1.evil.example:1", ""] {
        browser.raw("GET", "/console", &[("host", host), ("cookie", &cookie)], "").is(403, &["not served under this name"]);
    }
    browser.raw("GET", "/console", &[("host", "localhost"), ("host", "localhost"), ("cookie", &cookie)], "").is(403, &[]);
    browser.raw("GET", "/console", &[("host", "localhost:1"), ("cookie", &cookie)], "").is(200, &[]);
    browser.raw("GET", "/console/asset/console.css", &[("host", "evil.example")], "").is(403, &[]);
}

#[test]
fn a_form_counts_from_a_page_of_this_session_alone() {
    let (house, console) = served();
    let mut browser = console.local();
    let (cookie, form) = (browser.cookie.clone().unwrap(), browser.get("/console").field("form"));
    let own = format!("http://{}", console.address());
    let body = format!("form={form}");
    let send = |headers: &[(&str, &str)]| {
        let mut all = vec![("host", console.address()), ("cookie", cookie.as_str())];
        all.extend(headers);
        browser.raw("POST", "/console/logout", &all, &body)
    };
    send(&[]).is(403, &["not made by a page of the console"]);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost"] {
        send(&[("origin", origin)]).is(403, &["not made by a page of the console"]);
    }
    send(&[("origin", &own), ("sec-fetch-site", "cross-site")]).is(403, &[]);
    send(&[("origin", &own), ("sec-fetch-site", "same-site")]).is(403, &[]);
    // Of the right place, and without what the page carries; or with another session's.
    let other = house.casemate(&["console", "login"]).done().stdout;
    let mut another = console.browser();
    another.follow(other.trim()).to("/console");
    let theirs = another.get("/console").field("form");
    for fields in
        [vec![], vec![("form", "")], vec![("form", theirs.as_str())], vec![("form", form.as_str()), ("form", form.as_str())]]
    {
        browser.clone().post("/console/logout", &fields).is(403, &["not made for this session"]);
    }
    browser.get("/console").is(200, &[]);
    browser.post("/console/logout", &[("form", &form)]).to("/console/login");
}

#[test]
fn every_answer_forbids_what_a_page_does_not_need() {
    let (_house, console) = served();
    let browser = console.local();
    let check = |page: &Page, path: &str| {
        let policy = page.header("content-security-policy").unwrap_or_else(|| panic!("{path}"));
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "trusted-types 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(page.header(name), Some(value), "{path}");
        }
        // Nothing that the policy would forbid is asked for.
        for part in ["<style", "style=", "onclick", "javascript:", "http://www", "https://"] {
            assert!(!page.body.contains(part), "{path}: {part}");
        }
        assert_eq!(
            page.body.matches("<script").count(),
            page.body.matches("<script src=\"/console/asset/console.js\" defer>").count()
        );
    };
    for path in PAGES {
        let page = browser.get(path);
        page.is(200, &["<main id=\"main\"", "Skip to the content", "lang=\"en\""]);
        check(&page, path);
    }
    for path in
        ["/console/login", "/console/nowhere", "/console/asset/console.js", "/console/asset/mark.svg", "/console/asset/nothing"]
    {
        let page = browser.get(path);
        assert!(page.header("content-security-policy").is_some(), "{path}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
    let cookie = console.browser().post("/console/theme", &[("theme", "dark")]);
    assert!(cookie.header("set-cookie").unwrap().contains("SameSite=Strict"));
    console.browser().post("/console/theme", &[("theme", "dark"), ("next", "https://evil.example/")]).to("/console");
    console.browser().post("/console/theme", &[("theme", "dark"), ("next", "/console//evil.example")]).to("/console");
    let own = format!("http://{}", console.address());
    browser.raw("DELETE", "/console", &[("host", console.address()), ("origin", &own)], "").is(405, &[]);
    browser
        .raw(
            "POST",
            "/console/theme",
            &[("host", console.address()), ("origin", &format!("http://{}", console.address()))],
            &"x".repeat(70_000),
        )
        .is(413, &[]);
}

#[test]
fn the_cookie_is_for_the_console_and_no_script() {
    let (house, console) = served();
    let link = house.casemate(&["console", "login"]).done().stdout;
    let mut browser = console.browser();
    let page = browser.follow(link.trim());
    let cookie = page.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/console"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    // Two of one name say nothing.
    let value = browser.cookie.clone().unwrap();
    let twice = format!("{value}; {value}");
    assert_eq!(browser.raw("GET", "/console", &[("host", "localhost"), ("cookie", &twice)], "").status, 303);
}

#[test]
fn a_viewer_looks_and_does_nothing() {
    let (house, console) = waiting(1);
    console.stop();
    let token = house.token("carol");
    let stranger = house.token("mallory");
    let house = house.set("console.viewers", vec!["token:carol"]);
    let console = Console::start(&house);
    let id = asked(&house);
    let page = format!("/console/approvals/{id}");
    let mut carol = console.browser();
    carol.post("/console/login", &[("token", &stranger)]).is(403, &["this token opens nothing here"]);
    carol.post("/console/login", &[("token", "casemate_madeup")]).is(403, &["this token opens nothing here"]);
    carol.post("/console/login", &[("token", &token)]).to("/console");
    carol.get("/console").is(200, &["token:carol", "looks, and no more"]);
    carol.get(&page).is(200, &["You look, and no more"]);
    carol.say(&id, "approve", "").is(403, &["only an approver says yes or no"]);
    carol.fill(&page, &format!("{page}/withdraw"), &[("reason", "x")]).is(403, &["only a local session"]);
    carol.fill("/console", "/console/callers/resume", &[("principal", "local")]).is(403, &["only a local session"]);
    assert_eq!(shown(&house, &id)["state"], "open");
    // The token in the header, as a proxy sends it: to look at pages, and to send no form.
    let bearer = format!("Bearer {token}");
    let proxied = console.browser();
    proxied.get_with(&page, ("authorization", &bearer)).is(200, &["token:carol"]);
    let own = format!("http://{}", console.address());
    let headers = [("host", console.address()), ("origin", &own), ("authorization", bearer.as_str())];
    proxied.raw("POST", &page, &headers, "said=approve&form=").is(401, &[]);
    assert_eq!(proxied.get_with(&page, ("authorization", &format!("Bearer {stranger}"))).status, 303);
    // A token that is revoked ends the sessions that it began.
    house.casemate(&["token", "revoke", "carol"]).done();
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(carol.get("/console").status, 303);
    let entered = records(&house, "auth.accepted");
    assert!(
        entered.iter().any(|record| record["principal_id"] == "token:carol" && facts(record)["how"] == "token"),
        "{entered:#?}"
    );
}

#[test]
fn nobody_looks_with_a_token_unless_the_operator_says_so() {
    let (house, console) = served();
    let token = house.token("carol");
    thread::sleep(Duration::from_millis(1000));
    let mut carol = console.browser();
    carol.post("/console/login", &[("token", &token)]).is(403, &["opens nothing here"]);
    assert!(!carol.get("/console/login").body.contains("Bearer token"));
}

#[test]
fn an_http_server_has_the_console_where_it_is_enabled() {
    let house = House::serving(&Guest::new("effect_above_tool"));
    let token = house.token("ci");
    let server = Http::start(&mut house.command(), &token);
    assert_eq!(Browser::at(server.address()).get("/console/login").status, 404);
    drop(server);
    let house = house.set("console.enabled", true);
    let server = Http::start(&mut house.command(), &token);
    let mut browser = Browser::at(server.address());
    browser.get("/console/login").is(200, &["Sign in"]);
    let link = house.casemate(&["console", "login"]).done().stdout;
    browser.follow(link.trim()).to("/console");
    browser.get("/console/audit").is(200, &["auth.accepted"]);
    // Its token is for `/mcp`: whoever the operator names may look, and nobody else.
    assert_eq!(Browser::at(server.address()).get_with("/console", ("authorization", &format!("Bearer {token}"))).status, 303);
    assert!(!server.refuses());
}

#[test]
fn a_console_that_others_reach_speaks_tls() {
    let house = House::serving(&Guest::new("effect_above_tool"));
    house.casemate(&["console", "--listen", "0.0.0.0:0"]).faulty(&["there is no TLS", "http.tls"]);
}
