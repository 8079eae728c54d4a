//! Stratus Red Team's plugin as it is packed: what it does to an account that is granted, and that it does nothing to another.
//!
//! The account is a fake; signatures are verified in the interoperability tests, by moto.

use std::{fs, os::unix::fs::PermissionsExt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    approvals::{enrol, say, shown, waits},
    harness::{House, Reply, Upstreams},
};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const STOP: &str = "aws.defense-evasion.cloudtrail-stop";
const DELETE: &str = "aws.defense-evasion.cloudtrail-delete";
const SELECT: &str = "aws.defense-evasion.cloudtrail-event-selectors";
const BUCKET: &str = "aws.exfiltration.s3-backdoor-bucket-policy";
const USER: &str = "aws.persistence.iam-create-admin-user";
const CHANGES: [&str; 4] = ["warm_up", "detonate", "revert", "clean_up"];

/// All techniques in one account and region, for real, and nobody is asked.
const CONFIG: &str = r#"
environment = "dev"

[plugins.stratus]
secret.access_key.file = "secrets/access_key"
secret.secret_key.file = "secrets/api_key"
settings = { region = "eu-west-1", log_bucket = "stratus-logs", outsider = "210987654321" }

[plugins.stratus.tools]
warm_up = { enabled = true, dry_run = false, approval = "none" }
detonate = { enabled = true, dry_run = false, approval = "none" }
revert = { enabled = true, dry_run = false, approval = "none" }
clean_up = { enabled = true, dry_run = false, approval = "none" }

[grants.tester]
principals = ["local"]
tools = ["stratus_*"]
max_effect = "destructive"
scope.account = ["111122223333", "999999999999"]
scope.region = ["eu-west-1", "us-east-1"]
scope.technique = [
    "aws.defense-evasion.cloudtrail-stop",
    "aws.defense-evasion.cloudtrail-delete",
    "aws.defense-evasion.cloudtrail-event-selectors",
    "aws.exfiltration.s3-backdoor-bucket-policy",
    "aws.persistence.iam-create-admin-user",
]
"#;

fn house() -> House {
    let config = |upstreams: &Upstreams| {
        let mut config: toml::Table = CONFIG.parse().unwrap();
        let origin = upstreams.origin("stratus");
        let at: toml::Table = format!("origin = \"{origin}\"\nallow_private = [\"127.0.0.1/32\"]").parse().unwrap();
        let names = ["sts", "iam", "cloudtrail", "cloudtrail-warm-up", "cloudtrail-attack", "s3"];
        let upstream: toml::Table = names.into_iter().map(|name| (name.to_owned(), at.clone().into())).collect();
        config["plugins"]["stratus"].as_table_mut().unwrap().insert("upstream".to_owned(), upstream.into());
        config
    };
    let house = House::of_plugin("stratus", config);
    let key = house.folder().join("secrets/access_key");
    fs::write(&key, "KEYOFTHEFAKE00000001").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    house
}

fn on(technique: &str) -> Value {
    json!({ "technique": technique, "account": ACCOUNT, "region": REGION })
}

/// Call as somebody who has read nothing yet; how far the technique is then.
#[track_caller]
fn state(house: &House, tool: &str, technique: &str) -> String {
    let reply: Reply = house.call_fresh(tool, on(technique)).done(&[]);
    reply.structured()["state"].as_str().unwrap().to_owned()
}

/// What has reached AWS since and is not a read, by its action.
fn acts(house: &House) -> Vec<String> {
    let received = house.upstreams().received_by("stratus");
    let names = received.iter().map(|request| {
        if let Some(target) = request.headers("x-amz-target").pop() {
            return target.rsplit('.').next().unwrap().to_owned();
        }
        if request.target() == "/" {
            let body = STANDARD.decode(request.0["body_base64"].as_str().unwrap()).unwrap();
            let body = String::from_utf8(body).unwrap();
            let action = body.split('&').find_map(|field| field.strip_prefix("Action="));
            return action.unwrap().to_owned();
        }
        let policy = if request.target().contains("policy=") { "Policy" } else { "" };
        format!("{} Bucket{policy}", request.method())
    });
    names.filter(|name| !["Get", "List", "HEAD", "GET"].iter().any(|read| name.starts_with(read))).collect()
}

#[test]
fn the_catalogue_is_read_without_asking_anybody() {
    let house = house().serve();
    let all = house.call("list_techniques", json!({})).done(&["72 techniques", "k8s.privilege-escalation.privileged-pod"]);
    assert_eq!(all.structured()["techniques"].as_array().unwrap().len(), 72);
    house.call("list_techniques", json!({ "platform": "aws", "supported_only": true })).done(&["5 techniques"]);
    house.call("list_techniques", json!({ "tactic": "defense evasion" })).done(&["7 techniques", STOP]);
    house.call("list_techniques", json!({ "platform": "Mainframe" })).done(&["0 techniques"]);
    house.call("show_technique", json!({ "technique": USER })).done(&["once", "iam:CreateAccessKey", "the key is dropped"]);
    let other = json!({ "technique": "gcp.exfiltration.share-compute-disk" });
    house.call("show_technique", other).done(&["cannot be carried out here"]);
    house.call("show_technique", json!({ "technique": "aws.persistence.no-such" })).ended(
        "error",
        "not-found",
        &["no technique"],
    );
    house.call("show_technique", json!({ "technique": "../etc" })).ended("denied", "arguments-invalid", &[]);
    assert!(house.reached().is_empty());
}

#[test]
fn trails_are_created_attacked_and_given_back() {
    let house = house().serve();
    for technique in [STOP, DELETE, SELECT] {
        assert_eq!(state(&house, "status", technique), "cold");
        house.call_fresh("detonate", on(technique)).ended("error", "invalid-arguments", &["it is cold"]);
        assert_eq!(acts(&house), Vec::<String>::new(), "{technique}");
        assert_eq!(state(&house, "warm_up", technique), "warm");
        assert_eq!(acts(&house), ["CreateTrail", "StartLogging"]);
        assert_eq!(state(&house, "warm_up", technique), "warm");
        assert!(acts(&house).is_empty(), "{technique} is warm already");
        assert_eq!(state(&house, "revert", technique), "warm");
        assert!(acts(&house).is_empty(), "there is nothing to take back");
    }
    assert_eq!(state(&house, "detonate", STOP), "detonated");
    assert_eq!(acts(&house), ["StopLogging"]);
    // It can be done again, and what was created is not removed before it is reverted.
    assert_eq!(state(&house, "detonate", STOP), "detonated");
    house.call_fresh("clean_up", on(STOP)).ended("error", "invalid-arguments", &["revert it first"]);
    house.call_fresh("warm_up", on(STOP)).ended("error", "invalid-arguments", &["revert it first"]);
    assert_eq!(state(&house, "revert", STOP), "warm");
    assert_eq!(acts(&house), ["StartLogging"]);
    assert_eq!((state(&house, "detonate", SELECT), acts(&house)), ("detonated".to_owned(), vec!["PutEventSelectors".to_owned()]));
    assert_eq!((state(&house, "status", SELECT), state(&house, "status", STOP)), ("detonated".to_owned(), "warm".to_owned()));
    assert_eq!(state(&house, "revert", SELECT), "warm");
    assert_eq!((state(&house, "detonate", DELETE), acts(&house)), ("cold".to_owned(), vec!["DeleteTrail".to_owned()]));
    for technique in [STOP, DELETE, SELECT] {
        assert_eq!(state(&house, "clean_up", technique), "cold");
        assert_eq!(state(&house, "status", technique), "cold");
    }
}

#[test]
fn an_administrator_is_created_once_and_its_key_is_told_to_nobody() {
    let house = house().serve();
    assert_eq!(state(&house, "warm_up", USER), "cold");
    let reply = house.call_fresh("detonate", on(USER)).done(&["detonated", "iam:CreateAccessKey"]);
    assert_eq!(acts(&house), ["CreateUser", "AttachUserPolicy", "CreateAccessKey"]);
    reply.silent(&["AKIA", "secret/of", "SecretAccessKey"]);
    house.call_fresh("detonate", on(USER)).ended("error", "invalid-arguments", &["cannot be detonated twice"]);
    assert!(acts(&house).is_empty());
    assert_eq!(state(&house, "revert", USER), "cold");
    assert_eq!(acts(&house), ["DeleteAccessKey", "DetachUserPolicy", "DeleteUser"]);
    assert_eq!(state(&house, "revert", USER), "cold");
    assert!(acts(&house).is_empty());
}

#[test]
fn a_bucket_is_opened_to_the_outsider_and_closed_again() {
    let house = house().serve();
    assert_eq!(state(&house, "warm_up", BUCKET), "warm");
    assert_eq!(acts(&house), ["PUT Bucket"]);
    house.call_fresh("detonate", on(BUCKET)).done(&["stratus-red-team-bdbp-111122223333-eu-west-1"]);
    assert_eq!(acts(&house), ["PUT BucketPolicy"]);
    let put = house.upstreams().received_by("stratus").into_iter().find(|request| request.method() == "PUT").unwrap();
    let policy: Value = serde_json::from_slice(&STANDARD.decode(put.0["body_base64"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Principal"]["AWS"], "arn:aws:iam::210987654321:root");
    assert_eq!(put.headers("x-amz-expected-bucket-owner"), [ACCOUNT]);
    assert_eq!(put.headers("x-casemate-technique"), [BUCKET]);
    assert_eq!((state(&house, "revert", BUCKET), acts(&house)), ("warm".to_owned(), vec!["DELETE BucketPolicy".to_owned()]));
    assert_eq!((state(&house, "clean_up", BUCKET), acts(&house)), ("cold".to_owned(), vec!["DELETE Bucket".to_owned()]));
}

#[test]
fn what_stratus_did_not_create_is_left_alone() {
    let house = house().serve();
    house.upstreams().order("stratus", &json!({ "foreign": true }));
    for technique in [STOP, USER, BUCKET] {
        for tool in CHANGES {
            house.call_fresh(tool, on(technique)).ended("error", "unauthorized", &["nothing was done", "somebody else's"]);
            assert!(acts(&house).is_empty(), "{tool} {technique}");
        }
    }
}

fn identity(account: &str) -> String {
    format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

#[test]
fn another_account_region_or_technique_is_left_alone() {
    let house = house().serve();
    // Granted, and not where the keys are.
    let elsewhere = json!({ "technique": USER, "account": "999999999999", "region": REGION });
    let south = json!({ "technique": USER, "account": ACCOUNT, "region": "us-east-1" });
    for tool in CHANGES {
        house.call_fresh(tool, elsewhere.clone()).ended("error", "unauthorized", &["not of the account `999999999999`"]);
        assert!(acts(&house).is_empty(), "{tool}");
        house.call_fresh(tool, south.clone()).ended("error", "invalid-arguments", &["set up for the region `eu-west-1`"]);
        assert!(house.reached().is_empty(), "{tool}");
    }
    for (at, value, reason) in [
        ("account", "222222222222", "out-of-scope"),
        ("region", "eu-central-1", "out-of-scope"),
        ("region", "eu-west-1.evil", "arguments-invalid"),
        ("account", "*", "arguments-invalid"),
        ("technique", "aws.persistence.iam-backdoor-user", "arguments-invalid"),
    ] {
        let mut arguments = on(USER);
        arguments[at] = json!(value);
        for tool in CHANGES {
            house.call_fresh(tool, arguments.clone()).ended("denied", reason, &[]);
            assert!(house.reached().is_empty(), "{tool} {at} {value}");
        }
    }
    let narrow = self::house().set("grants.tester.scope.technique", vec![STOP]).serve();
    narrow.call_fresh("detonate", on(USER)).ended("denied", "out-of-scope", &[]);
    assert!(narrow.reached().is_empty());
    // Whoever says whose the keys are and does not say one account has said nothing.
    for body in [
        identity("999999999999"),
        identity(""),
        String::new(),
        format!("<!-- {} -->", identity(ACCOUNT)),
        identity(ACCOUNT).repeat(2),
    ] {
        house.scripted("POST /", json!({ "answer": { "status": 200, "body": body } }));
        house.call_fresh("detonate", on(USER)).ended("error", "unauthorized", &["did not say whose"]);
        assert!(acts(&house).is_empty(), "{body}");
    }
}

#[test]
fn changes_are_off_dry_and_asked_about_until_somebody_says_otherwise() {
    for (tool, technique) in [("warm_up", STOP), ("detonate", USER)] {
        let at = |setting: &str| format!("plugins.stratus.tools.{tool}.{setting}");
        let off = house().set(&at("enabled"), false).serve();
        off.call(tool, on(technique)).ended("denied", "disabled", &[]);
        let low = house().set("grants.tester.max_effect", "read").serve();
        low.call(tool, on(technique)).ended("denied", "effect-above-grant", &[]);
        assert!(off.reached().is_empty() && low.reached().is_empty(), "{tool}");
        let dry = house().without(&at("dry_run")).serve();
        let planned = dry.call(tool, on(technique)).done(&["this was a dry run"]);
        let plan = planned.structured()["plan"]["requests"].as_array().unwrap().len();
        assert_eq!(plan, if tool == "detonate" { 3 } else { 2 }, "the whole of it is shown: {planned:#?}");
        assert!(acts(&dry).is_empty());
    }
    let asked = house().without("plugins.stratus.tools.detonate.approval").serve();
    assert_eq!(asked.call("detonate", on(USER)).decision(), "deferred");
    assert!(acts(&asked).is_empty());
    // What was read outside is a reason to ask somebody, too.
    let house = house().serve();
    house.call("status", on(STOP)).done(&["cold"]);
    house.call("warm_up", on(STOP)).ended("deferred", "flow-needs-approval", &[]);
    assert!(acts(&house).is_empty());
}

/// The person sees all three requests before the first is sent, and the call is held to them.
#[test]
fn an_attack_waits_for_a_person_and_happens_once() {
    let house = enrol(house().without("plugins.stratus.tools.detonate.approval"), "alice").serve();
    let id = waits(house.call("detonate", on(USER)));
    assert!(acts(&house).is_empty());
    let seen = shown(&house, &id).to_string();
    for part in ["stratus_detonate", USER, ACCOUNT, "CreateUser", "AdministratorAccess", "CreateAccessKey"] {
        assert!(seen.contains(part), "`{part}` is not in {seen}");
    }
    say(&house, "approve", &id, "alice").done();
    assert!(acts(&house).is_empty(), "agreeing alone does nothing");
    house.call("detonate", on(USER)).done(&["detonated"]);
    assert_eq!(acts(&house), ["CreateUser", "AttachUserPolicy", "CreateAccessKey"]);
    // It is there now, so that there is nothing to agree to.
    assert!(house.call("detonate", on(USER)).is_error());
    assert_eq!(acts(&house).len(), 3);
}

#[test]
fn what_aws_says_no_to_is_told() {
    let house = house().serve();
    for (error, reason) in [("AccessDenied", "unauthorized"), ("Throttling", "rate-limited")] {
        house.scripted("POST /", json!({ "error": error }));
        house.call_fresh("detonate", on(USER)).ended("error", reason, &[error]).silent(&["ignore previous"]);
        assert!(acts(&house).is_empty());
    }
    house.upstreams().order("stratus", &json!({ "key": "ANOTHERKEY0000000001" }));
    house.call_fresh("detonate", on(USER)).ended("error", "unauthorized", &["refused the keys"]);
    house.upstreams().order("stratus", &json!({ "key": "KEYOFTHEFAKE00000001" }));
    // A bucket that S3 does not answer about: nobody knows.
    state(&house, "warm_up", BUCKET);
    for script in [json!({ "answer": { "status": 500 } }), json!({ "misbehave": { "kind": "close" } })] {
        house.scripted(&format!("PUT /stratus-red-team-bdbp-{ACCOUNT}-{REGION}"), script);
        house.call_fresh("detonate", on(BUCKET)).ended("error", "outcome-unknown", &["look with status"]);
        assert_eq!(acts(&house).len(), 1, "it is not tried again");
    }
}

#[test]
fn an_aws_that_lies_gets_nothing_past() {
    let house = house().serve();
    // Who answers what is asked first in no such way is believed nothing.
    for kind in crate::harness::BAD.into_iter().chain(crate::harness::MEANT) {
        house.scripted("POST /", json!({ "misbehave": { "kind": kind } }));
        let reply = house.call_fresh("detonate", on(USER));
        assert!(reply.is_error() || kind == "set-cookie", "{kind}: {reply:#?}");
        if kind != "set-cookie" {
            assert!(acts(&house).is_empty(), "{kind}");
        }
    }
}

#[test]
fn aws_answers_whatever_it_is_asked() {
    let house = house().with("breaker = { denials = false, variants = false, burst = false }");
    house.install().done();
    crate::arguments::every_call_is_answered(&house);
}
