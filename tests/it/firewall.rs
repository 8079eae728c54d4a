//! The plugin for blocks as it is packed: against a real CrowdSec, in a real firewall, and against a CrowdSec that lies.

mod enforced;
mod lies;
mod real;
mod rules;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use toml::Table;

use crate::harness::{CrowdSec, House};

pub(crate) const IP: &str = "185.220.101.1";
/// The fake, and what is asked of it.
const FAKE: &str = "crowdsec";
const LIST: &str = "GET /v1/decisions?origins=casemate";
const LIFT: &str = "DELETE /v1/decisions?value=185.220.101.1&type=ban&origin=casemate";

/// Everything is on and for real and nobody is asked, for those who command; some networks may be blocked, of which some never.
const CONFIG: &str = r#"
environment = "dev"

[plugins.firewall]
settings = { machine_id = "casemate-firewall", never_block = ["9.9.9.0/24", "185.220.103.7", "2606:4700::/32"], max_active = 3 }
secret.bouncer_key.file = "secrets/api_key"
secret.machine_password.file = "secrets/api_key"
upstream.crowdsec = { origin = "@", allow_private = ["127.0.0.1/32"] }
upstream.crowdsec-machine = { origin = "@", allow_private = ["127.0.0.1/32"] }

[plugins.firewall.tools.create_firewall_block]
enabled = true
dry_run = false
approval = "none"
roles = ["incident_commander"]

[plugins.firewall.tools.remove_firewall_block]
enabled = true
dry_run = false

[grants.tester]
principals = ["local"]
roles = ["incident_commander"]
tools = ["firewall_*"]
max_effect = "destructive"
scope.network = ["185.220.0.0/16", "8.8.0.0/16", "9.9.9.0/24", "10.0.0.0/8", "127.0.0.0/8", "0.0.0.0/32", "2606:4700::/32", "2a00::/12", "::1/128"]
"#;

fn config(origin: &str) -> Table {
    CONFIG.replace('@', origin).parse().unwrap()
}

/// A house whose CrowdSec is a fake.
fn house() -> House {
    let house = House::of_plugin("firewall", |upstreams| config(upstreams.origin(FAKE)));
    house.upstreams().order(FAKE, &json!({ "key": house.secret().value() }));
    house
}

/// A house beside a real CrowdSec that knows its bouncer and its machine.
fn beside(crowdsec: &CrowdSec) -> House {
    let house = House::of_plugin("firewall", |_| config(&crowdsec.origin()));
    crowdsec.bouncer("casemate", house.secret().value());
    crowdsec.machine("casemate-firewall", house.secret().value());
    house
}

fn block(ip: &str) -> Value {
    json!({ "ip": ip, "ttl_minutes": 30, "reason": "SSH brute force, case 4711" })
}

impl House {
    /// Block an address as somebody who has read nothing yet.
    #[track_caller]
    fn block(&self, ip: &str) -> crate::harness::Reply {
        self.call_fresh("create_firewall_block", block(ip))
    }

    /// What has reached the fake since, in order, without the log-ins.
    fn asked(&self) -> Vec<String> {
        let received = self.upstreams().received_by(FAKE);
        let lines = received.iter().map(|request| format!("{} {}", request.method(), request.target()));
        lines.filter(|line| line != "POST /v1/watchers/login").collect()
    }

    /// The bodies of the alerts that have reached the fake since.
    fn alerts(&self) -> Vec<Value> {
        let received = self.upstreams().received_by(FAKE);
        let posted = received.iter().filter(|request| (request.method(), request.target()) == ("POST", "/v1/alerts"));
        posted
            .map(|request| serde_json::from_slice(&STANDARD.decode(request.0["body_base64"].as_str().unwrap()).unwrap()).unwrap())
            .collect()
    }

    /// How the next request to a path of the fake is answered, such as `POST /v1/alerts`.
    fn lies(&self, request: &str, mut script: Value) {
        let (method, path) = request.split_once(' ').unwrap();
        (script["method"], script["path"]) = (json!(method), json!(path));
        self.upstreams().script_for(FAKE, script);
    }

    /// Addresses that are blocked, as the tool lists them.
    #[track_caller]
    fn listed(&self) -> Vec<String> {
        let reply = self.call_fresh("list_firewall_blocks", json!({})).done(&[]);
        let blocks = reply.structured()["blocks"].as_array().unwrap().clone();
        blocks.iter().map(|block| block["ip"].as_str().unwrap().to_owned()).collect()
    }
}
