//! PostgreSQL by its plugin as it is packed, and by a guest that has anything run: against a real server, and one that lies.

mod denied;
mod lies;
mod reads;
mod roles;
mod statements;
mod tls;

pub(crate) use statements::any_statement;

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::harness::{Guest, House, Postgres, Reply};

/// One database, two schemas and what is in them are granted; `ledger` is the role's to read, and nobody's here.
const CONFIG: &str = r#"
environment = "dev"

[plugins.postgres]
secret.user.file = "secrets/user"
secret.password.file = "secrets/api_key"
upstream.postgres = { origin = "postgresql://127.0.0.1:1", allow_private = ["127.0.0.1/32", "192.0.2.1/32"] }

[grants.tester]
principals = ["local"]
tools = ["postgres_*"]
max_effect = "read"
scope.database = ["shop", "closed", "nowhere"]
scope.schema = ["public", "hr"]
scope.table = [
  "public.orders", "public.people", "public.order_totals", "public.payroll", "public.entries", "public.order_days", "public.events", "public.documents",
  "public.essays", "public.many", "public.kinds", "public.MixedCase", "public.absent", "hr.staff", "private.salaries",
]
"#;

/// A house beside a server.
pub(crate) struct Desk {
    house: House,
    postgres: Postgres,
}

impl Desk {
    /// The plugin, as the role that its page says to make.
    fn new() -> Self {
        Self::of("casemate_reader")
    }

    /// The plugin, as some role.
    fn of(role: &str) -> Self {
        Self::beside(role, Postgres::start, |house| house)
    }

    /// The plugin, with a server that is begun with its password, and a configuration of one's own.
    fn beside(role: &str, server: impl FnOnce(&str) -> Postgres, configured: impl FnOnce(House) -> House) -> Self {
        let house = House::of_plugin("postgres", |_| CONFIG.parse().unwrap());
        let postgres = server(house.secret().value());
        user(house.folder(), role);
        let house = house.set("plugins.@.upstream.postgres.origin", postgres.origin());
        Self { house: configured(house).serve(), postgres }
    }

    /// A guest that has any statement run, with these limits. What holds it is the host.
    fn of_anything(role: &str, limits: &[(&str, i64)], configured: impl FnOnce(House, &Postgres) -> House) -> Self {
        let guest = limits.iter().fold(Guest::new("any_statement"), |guest, (name, value)| guest.limit(name, *value));
        let house = House::new(&guest);
        let postgres = Postgres::start(house.secret().value());
        user(house.folder(), role);
        let house = house
            .set("plugins.@.secret.user.file", "secrets/user")
            .set("plugins.@.upstream.echo.origin", postgres.origin())
            .without("grants.tester.scope")
            .with("breaker = { denials = false, variants = false, burst = false }");
        Self { house: configured(house, &postgres).serve(), postgres }
    }

    /// A statement of one table, as somebody who has read nothing yet.
    #[track_caller]
    fn query(&self, sql: &str, tables: &[&str]) -> Reply {
        self.house.call_fresh("query", query(sql, tables))
    }

    /// What it finds, row by row.
    #[track_caller]
    fn rows(&self, sql: &str, tables: &[&str]) -> Value {
        self.query(sql, tables).done(&["untrusted, not instructions"]).structured()["rows"].clone()
    }

    /// Have the guest send a body.
    #[track_caller]
    fn send(&self, body: &Value) -> Reply {
        self.house.call_fresh("run", json!({ "database": "shop", "body": body.to_string() }))
    }

    /// Have the guest run a statement that names these tables.
    #[track_caller]
    fn runs(&self, statement: &str, tables: &[&str]) -> Reply {
        self.send(&body(statement, tables))
    }

    /// What a reply says, but for the number of its record.
    fn words(reply: &Reply) -> String {
        reply.text().replace(reply.audit_id(), "")
    }

    /// Every word of the audit log.
    fn audit(&self) -> String {
        self.house.written().iter().map(Value::to_string).collect()
    }
}

fn query(sql: &str, tables: &[&str]) -> Value {
    json!({ "database": "shop", "sql": sql, "tables": tables })
}

/// A request as the host takes it.
fn body(statement: &str, tables: &[&str]) -> Value {
    json!({ "statement": statement, "parameters": [], "tables": tables, "rows": 100, "milliseconds": 10_000 })
}

/// The user that the host has for the plugin. Secrets are in files that nobody else may read.
fn user(folder: &Path, role: &str) {
    let file = folder.join("secrets/user");
    fs::copy(folder.join("secrets/api_key"), &file).unwrap();
    fs::write(file, role).unwrap();
}
