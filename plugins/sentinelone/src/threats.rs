//! The threats of a site.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::{Sha1, Whole},
    path,
    tolerant::{Few, Object},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Page},
    field::{ComputerPart, Cursor, Id, IncidentStatus, MitigationStatus},
    interval::Moment,
    threat::{Item, Summary},
};

/// Threats of one answer, where the call does not say.
const DEFAULT: i64 = 50;
/// Threats of one answer at most.
const MOST: usize = 200;

/// Arguments of `list_threats`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The site's id
    site_id: Id,
    /// How many at most; 50 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 200>>,
    /// Where the last answer ended, to go on from there
    #[serde(default)]
    cursor: Option<Cursor>,
    /// Only threats about which this was done
    #[serde(default)]
    mitigation_status: Option<MitigationStatus>,
    /// Only incidents in this state
    #[serde(default)]
    incident_status: Option<IncidentStatus>,
    /// Only threats on computers whose name holds this
    #[serde(default)]
    computer_name: Option<ComputerPart>,
    /// Only threats of this file
    #[serde(default)]
    sha1: Option<Sha1>,
    /// Only threats found since, such as 2026-11-20T00:00:00Z
    #[serde(default)]
    since: Option<Moment>,
}

/// Some threats.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    threats: Vec<Summary>,
    /// How many there are in all
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u32>,
    /// Ask with this cursor for more; absent where there is no more
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}

pub(crate) fn list(args: Arguments, cx: &Context) -> Result<Listing, Failure> {
    let request = api::console(cx).get(path!("/web/api/v2.1/threats")).query("siteIds", &args.site_id);
    let request = request.query("limit", args.limit.map_or(DEFAULT, Whole::number));
    let mut request = request.query("sortBy", "createdAt").query("sortOrder", "desc");
    for (name, value) in [
        ("cursor", args.cursor.map(|it| it.to_string())),
        ("mitigationStatuses", args.mitigation_status.map(|it| it.as_str().to_owned())),
        ("incidentStatuses", args.incident_status.map(|it| it.as_str().to_owned())),
        ("computerName__contains", args.computer_name.map(|it| it.to_string())),
        ("contentHashes", args.sha1.map(|it| it.to_string())),
        ("createdAt__gte", args.since.map(|it| it.to_string())),
    ] {
        if let Some(value) = value {
            request = request.query(name, value);
        }
    }
    let Page { data, pagination: Object(pagination) }: Page<Few<Object<Item>, MOST>> = api::read(request.send()?)?;
    // What is asked for is of this site; what is not is not shown, whoever sent it.
    let here = data.0.into_iter().map(|Object(item)| item).filter(|item| item.is_in(&args.site_id));
    Ok(Listing {
        threats: here.filter_map(|mut item| item.summary()).collect(),
        total: pagination.total_items.count(),
        next_cursor: pagination.next_cursor.as_str().parse().ok(),
    })
}

impl Readable for Listing {
    fn text(&self) -> String {
        let mut text = match (self.threats.len(), self.total) {
            (0, _) => "no threat".to_owned(),
            (count, Some(total)) => format!("{count} of {total} threats, newest first"),
            (count, None) => format!("{count} threats, newest first"),
        };
        for threat in &self.threats {
            let _ = write!(text, "\n{}", threat.line());
        }
        if let Some(cursor) = &self.next_cursor {
            let _ = write!(text, "\nmore: ask with cursor {cursor}");
        }
        text
    }
}
