//! Where a technique is carried out, and the steps of every technique: whose keys these are comes first, what is there second.

use casemate_plugin::{Context, Failure, Readable};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    aws, bucket, catalogue,
    field::{Account, Region},
    technique::Technique,
    trail, user,
};

/// Arguments of every tool that asks AWS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The technique's id
    technique: Technique,
    /// The AWS account that it is carried out in
    account: Account,
    /// The region that it is carried out in
    region: Region,
}

/// How far a technique is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum State {
    /// Nothing of it is there
    Cold,
    /// What it needs is there
    Warm,
    /// It was carried out
    Detonated,
}

/// How far a technique is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    technique: Technique,
    account: Account,
    region: Region,
    state: State,
    /// What was done, in AWS's words; nothing where it was so already
    done: Vec<&'static str>,
    /// What it is done to
    resource: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    region: Region,
    log_bucket: String,
    outsider: Account,
}

/// Where a technique is carried out, once AWS has said that it is there.
pub(crate) struct Stage<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) technique: Technique,
    pub(crate) account: Account,
    pub(crate) region: Region,
    /// A bucket that trails log to.
    pub(crate) log_bucket: String,
    /// The account that a backdoor is opened to.
    pub(crate) outsider: Account,
}

impl<'a> Stage<'a> {
    /// The stage that the arguments name, if the operator's region and the account of the keys are those.
    fn enter(args: Arguments, cx: &'a Context) -> Result<Self, Failure> {
        let Arguments { technique, account, region } = args;
        let settings: Settings = cx.settings()?;
        if settings.region != region {
            return Err(Failure::invalid_arguments(format!(
                "nothing was asked: this plugin is set up for the region `{}`, and for no other",
                settings.region
            )));
        }
        if settings.outsider == account {
            return Err(Failure::invalid_arguments(
                "nothing was asked: the setting `outsider` has to be another account than this one",
            ));
        }
        let identity = aws::query(cx.upstream("sts"), "GetCallerIdentity", "2011-06-15", &[]);
        let accounts = aws::texts(identity, "Account")?;
        if accounts != [account.as_str()] {
            return Err(Failure::unauthorized(format!(
                "nothing was done: the keys are not of the account `{account}`, or AWS did not say whose they are"
            )));
        }
        let Settings { log_bucket, outsider, .. } = settings;
        Ok(Self { cx, technique, account, region, log_bucket, outsider })
    }

    fn resource(&self) -> String {
        match self.technique {
            Technique::StopTrail | Technique::DeleteTrail | Technique::SelectEvents => trail::arn(self),
            Technique::BackdoorBucket => format!("arn:aws:s3:::{}", bucket::name(self)),
            Technique::CreateAdminUser => user::arn(self),
        }
    }

    /// How far the technique is, as AWS says it.
    fn state(&self) -> Result<State, Failure> {
        match self.technique {
            Technique::StopTrail | Technique::DeleteTrail | Technique::SelectEvents => trail::state(self),
            Technique::BackdoorBucket => bucket::state(self),
            Technique::CreateAdminUser => user::state(self),
        }
    }

    fn report(self, state: State, done: Vec<&'static str>) -> Report {
        let resource = self.resource();
        let Self { technique, account, region, .. } = self;
        Report { technique, account, region, state, done, resource }
    }
}

pub(crate) fn status(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let stage = Stage::enter(args, cx)?;
    let state = stage.state()?;
    Ok(stage.report(state, Vec::new()))
}

pub(crate) fn warm_up(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let stage = Stage::enter(args, cx)?;
    let done = match (stage.state()?, stage.technique) {
        (State::Warm, _) => Vec::new(),
        (State::Detonated, _) => return Err(refuse("it is detonated already; revert it first")),
        (State::Cold, Technique::StopTrail | Technique::DeleteTrail | Technique::SelectEvents) => trail::create(&stage)?,
        (State::Cold, Technique::BackdoorBucket) => bucket::create(&stage)?,
        // It needs nothing.
        (State::Cold, Technique::CreateAdminUser) => return Ok(stage.report(State::Cold, Vec::new())),
    };
    Ok(stage.report(State::Warm, done))
}

pub(crate) fn detonate(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let stage = Stage::enter(args, cx)?;
    match (stage.state()?, stage.technique) {
        (State::Cold, Technique::CreateAdminUser) => {}
        (State::Cold, _) => return Err(refuse("it is cold: there is nothing to attack; warm it up first")),
        (State::Detonated, technique) if !catalogue::is_idempotent(technique) => {
            return Err(refuse("it is detonated, and cannot be detonated twice; revert it first"));
        }
        (State::Warm | State::Detonated, _) => {}
    }
    let (state, done) = match stage.technique {
        Technique::StopTrail => (State::Detonated, trail::stop(&stage)?),
        // What is gone is as if it had never been.
        Technique::DeleteTrail => (State::Cold, trail::delete(&stage)?),
        Technique::SelectEvents => (State::Detonated, trail::select(&stage, false)?),
        Technique::BackdoorBucket => (State::Detonated, bucket::open(&stage)?),
        Technique::CreateAdminUser => (State::Detonated, user::create(&stage)?),
    };
    Ok(stage.report(state, done))
}

pub(crate) fn revert(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let stage = Stage::enter(args, cx)?;
    let state = stage.state()?;
    if state != State::Detonated {
        return Ok(stage.report(state, Vec::new()));
    }
    let (state, done) = match stage.technique {
        Technique::StopTrail => (State::Warm, trail::start(&stage)?),
        Technique::DeleteTrail => (state, Vec::new()),
        Technique::SelectEvents => (State::Warm, trail::select(&stage, true)?),
        Technique::BackdoorBucket => (State::Warm, bucket::close(&stage)?),
        Technique::CreateAdminUser => (State::Cold, user::delete(&stage)?),
    };
    Ok(stage.report(state, done))
}

pub(crate) fn clean_up(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let stage = Stage::enter(args, cx)?;
    let done = match (stage.state()?, stage.technique) {
        (State::Cold, _) => Vec::new(),
        (State::Detonated, _) => return Err(refuse("it is detonated; revert it first")),
        (State::Warm, Technique::BackdoorBucket) => bucket::delete(&stage)?,
        (State::Warm, Technique::CreateAdminUser) => Vec::new(),
        (State::Warm, _) => trail::delete(&stage)?,
    };
    Ok(stage.report(State::Cold, done))
}

fn refuse(why: &str) -> Failure {
    Failure::invalid_arguments(format!("nothing was done: {why}"))
}

/// Something is there under a name of Stratus Red Team's that is not marked as its.
pub(crate) fn foreign(what: &str) -> Failure {
    Failure::unauthorized(format!(
        "nothing was done: {what} lacks the tag StratusRedTeam, so it is somebody else's; whoever owns it has to rename or remove it"
    ))
}

impl Readable for Report {
    fn text(&self) -> String {
        let state = match self.state {
            State::Cold => "cold",
            State::Warm => "warm",
            State::Detonated => "detonated",
        };
        let Self { technique, account, region, resource, .. } = self;
        let done = if self.done.is_empty() { String::new() } else { format!("; done: {}", self.done.join(", ")) };
        format!("{} is {state} in {account}, {region} ({resource}){done}", technique.id())
    }
}
