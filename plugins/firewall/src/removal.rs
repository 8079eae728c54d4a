//! Lifting a block.

use casemate_crowdsec::failure;
use casemate_plugin::{
    Context, Failure, Readable, path,
    tolerant::{Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, LIFT, NOT_IN_FORCE, ORIGIN},
    field::Target,
};

/// Arguments of `remove_firewall_block`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The address or network, as list_firewall_blocks shows it
    ip: Target,
}

/// A block that is not in force any more.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The address or network
    ip: Target,
    /// How many blocks of it were lifted
    lifted: usize,
}

/// `{"nbDeleted": "1"}`. What is in force then is read, and this is only held against being an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Deleted {
    #[serde(rename = "nbDeleted")]
    count: Text<20>,
}

pub(crate) fn remove(Arguments { ip }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let target = ip.network().map_err(|error| Failure::invalid_arguments(error.to_string()))?;
    let before = api::blocks(cx)?;
    let lifted = api::on(&before, target).count();
    if lifted == 0 {
        return Err(Failure::not_found(format!(
            "there is no block of `{ip}` that was made here; blocks of others are not lifted here"
        )));
    }
    let request = cx.upstream(api::MACHINE).delete(path!("/v1/decisions"));
    let request = request.query("value", &ip).query("type", "ban").query("origin", ORIGIN);
    let said = LIFT.send::<Object<Deleted>>(request, failure);
    match said {
        Err(refused) if refused.code() != Some("outcome-unknown") => Err(refused),
        said => {
            let left = api::blocks(cx).map(|after| api::on(&after, target).count());
            match (said, left) {
                // It is gone, whatever was said.
                (_, Ok(0)) => Ok(Report { ip, lifted }),
                (Err(unknown), _) => Err(unknown),
                (Ok(_), Err(_)) => Err(LIFT.unknown("CrowdSec said yes, and then not what is in force")),
                (Ok(Object(Deleted { count })), Ok(_)) => {
                    let said = if count.0.as_deref() == Some("0") { "lifted nothing" } else { "said that it lifted the block" };
                    Err(Failure::upstream(format!("`{ip}` is still blocked: CrowdSec {said}, and lists the block"))
                        .with_code(NOT_IN_FORCE))
                }
            }
        }
    }
}

impl Readable for Report {
    fn text(&self) -> String {
        format!(
            "{} is no longer blocked from here; bouncers learn of it when they next ask CrowdSec. Others may block it, too",
            self.ip
        )
    }
}
