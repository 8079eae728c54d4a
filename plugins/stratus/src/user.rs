//! A user of IAM's with every right: the one that is created, and taken apart again.

use casemate_plugin::{Failure, Request};

use crate::{
    aws::{self, Refused},
    stage::{Stage, State, foreign},
    xml,
};

/// The one user; the same in the contracts.
const NAME: &str = "stratus-red-team-malicious-iam-user";
const ADMINISTRATOR: (&str, &str) = ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess");

pub(crate) fn arn(stage: &Stage<'_>) -> String {
    format!("arn:aws:iam::{}:user/{NAME}", stage.account)
}

fn request<'a>(stage: &Stage<'a>, action: &str, more: &[(&str, &str)]) -> Request<'a> {
    let fields: Vec<(&str, &str)> = [("UserName", NAME)].into_iter().chain(more.iter().copied()).collect();
    aws::query(stage.cx.upstream("iam"), action, "2010-05-08", &fields)
}

pub(crate) fn state(stage: &Stage<'_>) -> Result<State, Failure> {
    let answer = match aws::ask(request(stage, "GetUser", &[])) {
        Ok(answer) => answer,
        Err(Refused { code, .. }) if code == "NoSuchEntity" => return Ok(State::Cold),
        Err(refused) => return Err(refused.into()),
    };
    let body = String::from_utf8_lossy(answer.bytes());
    if xml::texts(&body, "Arn") != [arn(stage)] {
        return Err(Failure::upstream("nothing was done: IAM told about another user than the one it was asked for"));
    }
    let (keys, values) = (xml::texts(&body, "Key"), xml::texts(&body, "Value"));
    if keys.len() != values.len() || !keys.iter().zip(&values).any(|tag| tag == (&"StratusRedTeam", &"true")) {
        return Err(foreign("the user"));
    }
    Ok(State::Detonated)
}

/// The key's secret is in an answer that nobody looks at.
pub(crate) fn create(stage: &Stage<'_>) -> Result<Vec<&'static str>, Failure> {
    let tag = [("Tags.member.1.Key", "StratusRedTeam"), ("Tags.member.1.Value", "true")];
    change(stage, "CreateUser", &tag)?;
    change(stage, "AttachUserPolicy", &[ADMINISTRATOR])?;
    change(stage, "CreateAccessKey", &[])?;
    Ok(vec!["iam:CreateUser", "iam:AttachUserPolicy", "iam:CreateAccessKey"])
}

/// As far as it was created: a key or a policy may be missing where detonating broke off.
pub(crate) fn delete(stage: &Stage<'_>) -> Result<Vec<&'static str>, Failure> {
    let mut done = Vec::new();
    // IAM gives a user two keys at most.
    for key in aws::texts(request(stage, "ListAccessKeys", &[]), "AccessKeyId")?.iter().take(2) {
        change(stage, "DeleteAccessKey", &[("AccessKeyId", key)])?;
        done.push("iam:DeleteAccessKey");
    }
    match aws::change(stage.technique, request(stage, "DetachUserPolicy", &[ADMINISTRATOR])) {
        Ok(()) => done.push("iam:DetachUserPolicy"),
        Err(Refused { code, .. }) if code == "NoSuchEntity" => {}
        Err(refused) => return Err(refused.into()),
    }
    change(stage, "DeleteUser", &[])?;
    done.push("iam:DeleteUser");
    Ok(done)
}

fn change(stage: &Stage<'_>, action: &str, more: &[(&str, &str)]) -> Result<(), Failure> {
    Ok(aws::change(stage.technique, request(stage, action, more))?)
}
