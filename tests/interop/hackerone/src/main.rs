//! hackerone-api, an independent client, against the HackerOne fake: `casemate-hackerone-check http://127.0.0.1:PORT IDENTIFIER TOKEN`.
//!
//! It knows nothing of Casemate. What it can read, the fake gets right.

use std::{collections::BTreeSet, env, fmt::Debug};

use anyhow::{Context, bail, ensure};
use hackerone_api::{Client, CreateHackerReport, Error, Page, PageQuery, Report, ReportQuery, SeverityRating, UreqTransport};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [origin, identifier, token] = arguments.as_slice() else { bail!("usage: ORIGIN IDENTIFIER TOKEN") };
    let client = |token: &str| Client::with_transport(origin, UreqTransport::new()).with_credentials(identifier, token);
    let hacker = client(token);
    reads(&hacker)?;
    submits(&hacker)?;
    is_refused(&hacker)?;

    // A token that is wrong, none at all, and one of a hacker where programs ask.
    refuses(client("x").my_reports(&PageQuery::new()), 401)?;
    refuses(Client::with_transport(origin, UreqTransport::new()).my_reports(&PageQuery::new()), 401)?;
    refuses(hacker.reports(&ReportQuery::new()), 401)?;
    refuses(hacker.me(), 401)
}

/// Every page, by the links of the one before; and one report.
fn reads(client: &Client) -> anyhow::Result<()> {
    let mut page = client.my_reports(&PageQuery::new().page(1, 25))?;
    ensure!((page.len(), page.last.is_some()) == (25, true), "the first page: {page:?}");
    let mut ids = BTreeSet::new();
    let mut pages = 1;
    loop {
        ids.extend(page.ids().flatten().map(str::to_owned));
        let Some(next) = client.next_page(&page)? else { break };
        (page, pages) = (next, pages + 1);
    }
    ensure!((pages, page.len(), ids.len()) == (3, 10, 60), "{pages} pages, the last of {}, {} reports", page.len(), ids.len());

    let newest = client.my_reports(&PageQuery::new().page(1, 1))?;
    let (id, listed) = first(&newest)?;
    let shown = client.my_report(id)?;
    ensure!(shown.title.is_some() && shown.title == listed.title, "{shown:?} and {listed:?}");
    ensure!(shown.state.as_deref() == Some("triaged") && shown.created_at.is_some(), "{shown:?}");
    let program = newest.resources.first().and_then(|report| report.relationships.pointer("/program/data/attributes/handle"));
    ensure!(program == Some(&serde_json::json!("acme")), "{newest:?}");
    Ok(())
}

/// A report is as it was written, and the newest of all.
fn submits(client: &Client) -> anyhow::Result<()> {
    let report = written("acme").severity(SeverityRating::High).weakness_id(60);
    let created = client.create_report(&report)?;
    ensure!(created.title.as_deref() == Some(report.title.as_str()), "{created:?}");
    ensure!(created.state.as_deref() == Some("new"), "{created:?}");
    let newest = client.my_reports(&PageQuery::new().page(1, 1))?;
    let (id, listed) = first(&newest)?;
    ensure!(listed.title == created.title, "{listed:?}");
    let shown = client.my_report(id)?;
    ensure!(shown.vulnerability_information.as_deref() == Some(report.vulnerability_information.as_str()), "{shown:?}");
    let severity = newest.resources.first().and_then(|report| report.relationships.pointer("/severity/data/attributes/rating"));
    ensure!(severity == Some(&serde_json::json!("high")), "{newest:?}");
    // The same report twice is two reports.
    client.create_report(&report)?;
    let again = client.my_reports(&PageQuery::new().page(1, 1))?;
    let (other, twin) = first(&again)?;
    ensure!(twin.title == created.title && other != id, "{other} and {id}");
    Ok(())
}

fn is_refused(client: &Client) -> anyhow::Result<()> {
    refuses(client.my_report("1"), 404)?;
    refuses(client.create_report(&written("initech")), 404)?;
    refuses(client.my_reports(&PageQuery::new().page(1, 101)), 400)?;
    let error = client.create_report(&written("acme").weakness_id(1)).err().context("a weakness that there is not is refused")?;
    ensure!(error.status() == Some(422), "{error}");
    ensure!(error.detail().is_some_and(|detail| detail.contains("'weakness_id' is invalid")), "{error}");
    Ok(())
}

fn written(program: &str) -> CreateHackerReport {
    CreateHackerReport::new(program, "Stored XSS in the page's title")
        .vulnerability_information("## Steps to reproduce\n1. Open it.\n2. Look at „its” title.")
        .impact("Whoever looks at it runs the script.")
}

fn first(page: &Page<Report>) -> anyhow::Result<(&str, &Report)> {
    let report = page.resources.first().context("a page of reports")?;
    Ok((report.id.as_deref().context("a report's id")?, &report.attributes))
}

fn refuses<T: Debug>(answer: Result<T, Error>, status: u16) -> anyhow::Result<()> {
    match answer {
        Ok(answer) => bail!("not refused with {status}: {answer:?}"),
        Err(error) => {
            ensure!(error.status() == Some(status), "{error}, and not {status}");
            Ok(())
        }
    }
}
