//! An empty bucket of S3's that is opened to another account.

use casemate_plugin::{Failure, Request};
use serde_json::{Value, json};

use crate::{
    aws::{self, Refused},
    stage::{Stage, State},
};

/// The policy's own name, by which it is known again.
const SID: &str = "StratusRedTeam";

/// Its name, which the account and the region make the only one of its kind.
pub(crate) fn name(stage: &Stage<'_>) -> String {
    format!("stratus-red-team-bdbp-{}-{}", stage.account, stage.region)
}

/// With the account that S3 has to find the bucket to be of.
fn expecting<'a>(stage: &Stage<'_>, request: Request<'a>) -> Request<'a> {
    request.header("x-amz-expected-bucket-owner", &stage.account)
}

pub(crate) fn state(stage: &Stage<'_>) -> Result<State, Failure> {
    let at = || aws::bucket(&name(stage));
    let s3 = aws::s3(stage.cx);
    let head = expecting(stage, s3.head(at())).send()?;
    match head.status() {
        404 => return Ok(State::Cold),
        _ if head.is_success() => {}
        403 => {
            return Err(Failure::unauthorized("nothing was done: the bucket is another account's, or the role may not see it"));
        }
        status => return Err(Failure::upstream(format!("nothing was done: S3 answered with status {status}"))),
    }
    let policy: Value = match aws::json(expecting(stage, s3.get(at()).query("policy", ""))) {
        Ok(policy) => policy,
        Err(Refused { code, .. }) if code == "NoSuchBucketPolicy" => return Ok(State::Warm),
        Err(refused) => return Err(refused.into()),
    };
    if policy == self::policy(stage) {
        return Ok(State::Detonated);
    }
    let statements = policy.get("Statement").and_then(Value::as_array).filter(|statements| !statements.is_empty());
    let is_ours = |statement: &Value| statement.get("Sid").is_some_and(|sid| sid == SID);
    if statements.is_some_and(|statements| statements.iter().all(is_ours)) {
        // Of another outsider, or written anew by S3: it is the backdoor all the same. A statement besides would be lost with it.
        return Ok(State::Detonated);
    }
    Err(Failure::unauthorized(
        "nothing was done: the bucket has a policy that is somebody else's; whoever owns it has to remove it",
    ))
}

fn policy(stage: &Stage<'_>) -> Value {
    let bucket = format!("arn:aws:s3:::{}", name(stage));
    json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": SID,
        "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{}:root", stage.outsider) },
        "Action": ["s3:GetObject", "s3:GetBucketLocation", "s3:ListBucket"],
        "Resource": [format!("{bucket}/*"), bucket],
    }] })
}

pub(crate) fn create(stage: &Stage<'_>) -> Result<Vec<&'static str>, Failure> {
    let request = aws::s3(stage.cx).put(aws::bucket(&name(stage)));
    // In us-east-1 a bucket may not say where it is.
    let request = if stage.region.as_str() == "us-east-1" {
        request
    } else {
        let location = format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
            stage.region
        );
        request.body("application/xml", location.into_bytes())
    };
    aws::change(stage.technique, request)?;
    Ok(vec!["s3:CreateBucket"])
}

pub(crate) fn open(stage: &Stage<'_>) -> Result<Vec<&'static str>, Failure> {
    let request = aws::s3(stage.cx).put(aws::bucket(&name(stage))).query("policy", "").json(&policy(stage));
    aws::change(stage.technique, expecting(stage, request))?;
    Ok(vec!["s3:PutBucketPolicy"])
}

pub(crate) fn close(stage: &Stage<'_>) -> Result<Vec<&'static str>, Failure> {
    let request = aws::s3(stage.cx).delete(aws::bucket(&name(stage))).query("policy", "").query("x-id", "DeleteBucketPolicy");
    aws::change(stage.technique, expecting(stage, request))?;
    Ok(vec!["s3:DeleteBucketPolicy"])
}

pub(crate) fn delete(stage: &Stage<'_>) -> Result<Vec<&'static str>, Failure> {
    let request = aws::s3(stage.cx).delete(aws::bucket(&name(stage))).query("x-id", "DeleteBucket");
    aws::change(stage.technique, expecting(stage, request))?;
    Ok(vec!["s3:DeleteBucket"])
}
