//! Sensors: the machines of the organization.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::Whole,
    path,
    tolerant::{Entries, Few, Flag, Number, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    field::{Cursor, HostPrefix, Id},
};

/// Sensors of one answer, where the call does not say.
const DEFAULT: i64 = 50;
/// Sensors of one answer at most.
const MOST: usize = 100;
/// Tags of one sensor at most.
const TAGS: usize = 100;

/// Arguments of `list_sensors`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListArguments {
    /// How the host's name begins
    #[serde(default)]
    hostname_prefix: Option<HostPrefix>,
    /// Only those that are online
    #[serde(default)]
    online_only: bool,
    /// How many at most; 50 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 100>>,
    /// Where the last answer ended, to go on from there
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// Some sensors.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    sensors: Vec<Shown>,
    /// Ask with this cursor for more; absent where there is no more
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}

/// One sensor.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    sensor: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'static str>,
    /// Its address on its own network
    #[serde(skip_serializing_if = "Option::is_none")]
    internal_ip: Option<String>,
    /// The address that LimaCharlie sees
    #[serde(skip_serializing_if = "Option::is_none")]
    external_ip: Option<String>,
    /// When it was last seen
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<String>,
    /// When it was enrolled
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolled: Option<String>,
    /// Whether it is or should be cut off from its network
    isolated: bool,
    /// Whether it is online now, so that it could be scanned; said of a single sensor
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<bool>,
    /// Said of a single sensor
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
}

/// Arguments of `get_sensor`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The sensor's id (SID)
    sensor: Id,
}

/// One sensor, with its tags.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Report(Shown);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Page {
    sensors: Few<Object<Sensor>, MOST>,
    continuation_token: Verbatim<512>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sensor {
    sid: Verbatim<36>,
    hostname: Text<120>,
    plat: Number,
    int_ip: Text<45>,
    ext_ip: Text<45>,
    alive: Text<40>,
    enroll: Text<40>,
    should_isolate: Flag,
    is_isolated: Flag,
}

/// `{"info": {…}, "online": {"SID": …}}`; `{"error": …}` in `online` where it is not.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    info: Object<Sensor>,
    online: Entries<Flag, 4>,
}

/// `{"tags": {"SID": {"TAG": {…}}}}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tagged {
    tags: Entries<Entries<Flag, TAGS>, 4>,
}

pub(crate) fn list(args: ListArguments, cx: &Context) -> Result<Listing, Failure> {
    let organization = api::organization(cx)?;
    let request = api::limacharlie(cx).get(path!("/v1/sensors/{}", organization));
    let mut request = request.query("limit", args.limit.map_or(DEFAULT, Whole::number));
    if let Some(cursor) = &args.cursor {
        request = request.query("continuation_token", cursor);
    }
    if let Some(prefix) = &args.hostname_prefix {
        request = request.query("with_hostname_prefix", prefix);
    }
    if args.online_only {
        request = request.query("is_online_only", true);
    }
    let Object(Page { sensors, continuation_token }) = api::read(request.send()?, "list of sensors")?;
    Ok(Listing {
        sensors: sensors.0.into_iter().filter_map(|Object(sensor)| sensor.shown()).collect(),
        next_cursor: continuation_token.as_str().parse().ok(),
    })
}

pub(crate) fn report(Arguments { sensor }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let found = find(cx, &sensor)?;
    let tags = tags(cx, &sensor)?;
    let Some(shown) = found.info.0.shown() else {
        return Err(Failure::upstream("LimaCharlie did not say which sensor it told about"));
    };
    Ok(Report(Shown { online: Some(is_online(&found.online)), tags: Some(tags), ..shown }))
}

/// Whether a sensor can be told to do something now, and its tags.
pub(crate) fn state(cx: &Context, sensor: &Id) -> Result<(bool, Vec<String>), Failure> {
    let found = find(cx, sensor)?;
    Ok((is_online(&found.online), tags(cx, sensor)?))
}

/// The sensor, if LimaCharlie tells about this one and no other.
fn find(cx: &Context, sensor: &Id) -> Result<Answer, Failure> {
    let Object(found): Object<Answer> = api::read(api::limacharlie(cx).get(path!("/v1/{}", sensor)).send()?, "sensor")?;
    if found.info.0.sid.as_str() != sensor.as_str() {
        return Err(Failure::upstream("LimaCharlie told about another sensor than the one it was asked for"));
    }
    Ok(found)
}

fn tags(cx: &Context, sensor: &Id) -> Result<Vec<String>, Failure> {
    let Object(Tagged { tags }) = api::read(api::limacharlie(cx).get(path!("/v1/{}/tags", sensor)).send()?, "sensor")?;
    let of_it = tags.0.into_iter().find(|(sid, _)| sid == sensor.as_str());
    Ok(of_it.map(|(_, tags)| tags.0.into_iter().map(|(tag, _)| tag).collect()).unwrap_or_default())
}

fn is_online(online: &Entries<Flag, 4>) -> bool {
    !online.0.is_empty() && online.0.iter().all(|(key, _)| key != "error")
}

impl Sensor {
    fn shown(self) -> Option<Shown> {
        Some(Shown {
            sensor: self.sid.as_str().parse().ok()?,
            hostname: self.hostname.0,
            platform: self.plat.0.and_then(platform),
            internal_ip: self.int_ip.0,
            external_ip: self.ext_ip.0,
            last_seen: self.alive.0,
            enrolled: self.enroll.0,
            isolated: self.is_isolated.0.unwrap_or_default() || self.should_isolate.0.unwrap_or_default(),
            online: None,
            tags: None,
        })
    }
}

/// The four highest bits: <https://docs.limacharlie.io/docs/reference-id-schema>.
fn platform(id: i64) -> Option<&'static str> {
    Some(match id & 0xf000_0000 {
        0x1000_0000 => "windows",
        0x2000_0000 => "linux",
        0x3000_0000 => "macos",
        0x4000_0000 => "ios",
        0x5000_0000 => "android",
        0x6000_0000 => "chromeos",
        _ => return None,
    })
}

impl Shown {
    fn line(&self) -> String {
        let mut line = format!("{} {}", self.sensor, self.hostname.as_deref().unwrap_or("a host without a name"));
        if let Some(platform) = self.platform {
            let _ = write!(line, " ({platform})");
        }
        if let Some(seen) = &self.last_seen {
            let _ = write!(line, ", last seen {seen}");
        }
        if self.isolated {
            line.push_str(", isolated");
        }
        line
    }
}

impl Readable for Listing {
    fn text(&self) -> String {
        let mut text = format!("{} sensors", self.sensors.len());
        for shown in &self.sensors {
            let _ = write!(text, "\n{}", shown.line());
        }
        if let Some(cursor) = &self.next_cursor {
            let _ = write!(text, "\nmore: ask with cursor {cursor}");
        }
        text
    }
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self(shown) = self;
        let online = if shown.online == Some(true) { "online" } else { "offline" };
        let tags =
            shown.tags.as_deref().filter(|tags| !tags.is_empty()).map_or_else(|| "none".to_owned(), |tags| tags.join(", "));
        format!("{}, {online}\ntags: {tags}", shown.line())
    }
}
