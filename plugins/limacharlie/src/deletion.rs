//! Deleting a rule that was deployed here.

use casemate_plugin::{Context, Failure, Readable, Response, path};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, DELETE, Said},
    field::RuleName,
    rules,
};

/// Arguments of `delete_rule`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The rule's name
    name: RuleName,
}

/// The rule that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deleted {
    name: RuleName,
}

pub(crate) fn delete(Arguments { name }: Arguments, cx: &Context) -> Result<Deleted, Failure> {
    let organization = api::organization(cx)?;
    if rules::ours(cx, &organization, &name)?.is_none() {
        return Err(Failure::not_found(format!("there is no rule `{name}`; nothing was deleted")));
    }
    let request = api::limacharlie(cx).delete(path!("/v1/hive/dr-general/{}/{}", organization, name));
    let Said { error, .. } = DELETE.send(request, refused)?;
    if error.0.is_some() {
        return Err(DELETE.unknown("LimaCharlie's answer says that something went wrong"));
    }
    Ok(Deleted { name })
}

fn refused(answer: &Response) -> Failure {
    api::failure(answer, "rule")
}

impl Readable for Deleted {
    fn text(&self) -> String {
        format!("deleted {}", self.name)
    }
}
