//! Which tables a transaction touched, by the server's own list of locks, of which it takes one on whatever it reads, by whichever way; and by
//! its counts.

use std::collections::BTreeSet;

use super::{refused, session::Session, wire::Fault};

/// The schemas that describe the others.
const CATALOGS: [&str; 2] = ["information_schema", "pg_catalog"];

/// Each named table, and whether it is there.
const FIND: &str = "SELECT n.value->>0, n.value->>1, c.oid \
    FROM pg_catalog.json_array_elements($1::pg_catalog.json) AS n(value) \
    LEFT JOIN pg_catalog.pg_namespace AS s ON s.nspname = (n.value->>0) \
    LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.oid AND c.relname = (n.value->>1)";

/// The tables, and what is read with them: partitions and heirs, indexes, and long values; and what a view is made of, or a policy of
/// rows asks, as far as the role could not read it itself. What it could, it has to name.
const BELOW: &str = "WITH RECURSIVE below(oid) AS ( \
        SELECT o.value::pg_catalog.oid FROM pg_catalog.json_array_elements_text($1::pg_catalog.json) AS o(value) \
      UNION \
        SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace \
        WHERE $2::pg_catalog.bool AND s.nspname IN ('information_schema', 'pg_catalog') \
      UNION \
        SELECT further.oid FROM below CROSS JOIN LATERAL ( \
            SELECT i.inhrelid AS oid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = below.oid \
          UNION ALL \
            SELECT x.indexrelid FROM pg_catalog.pg_index AS x WHERE x.indrelid = below.oid \
          UNION ALL \
            SELECT c.reltoastrelid FROM pg_catalog.pg_class AS c WHERE c.oid = below.oid AND c.reltoastrelid <> 0 \
          UNION ALL \
            SELECT d.refobjid FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_class AS c ON c.oid = d.refobjid \
            WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
              AND (d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
                   AND d.objid IN (SELECT w.oid FROM pg_catalog.pg_rewrite AS w WHERE w.ev_class = below.oid AND w.ev_type = '1') \
                OR d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass \
                   AND d.objid IN (SELECT p.oid FROM pg_catalog.pg_policy AS p WHERE p.polrelid = below.oid)) \
              AND NOT (pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE') \
                       AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')) \
        ) AS further \
    ) SELECT below.oid FROM below";

/// Every relation that this transaction holds a lock on. A function, and no view: what describes locks is not locked by asking.
const LOCKED: &str = "SELECT DISTINCT l.relation FROM pg_catalog.pg_lock_status() AS l \
    WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.relation IS NOT NULL";

/// Every relation that this transaction has read, by what the server counts. A part of it that was undone has let its locks go, and is counted
/// all the same; blocks are counted where rows are fetched by their place, which is no scan. The catalogs are left out: the server reads
/// those for itself.
const COUNTED: &str = "SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace \
    WHERE s.nspname NOT IN ('information_schema', 'pg_catalog', 'pg_toast') \
      AND (pg_catalog.pg_stat_get_xact_numscans(c.oid) > 0 OR pg_catalog.pg_stat_get_xact_blocks_fetched(c.oid) > 0)";

/// What they are called, those first that people name.
const CALLED: &str = "SELECT s.nspname, c.relname FROM pg_catalog.pg_class AS c \
    JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace \
    WHERE c.oid IN (SELECT o.value::pg_catalog.oid FROM pg_catalog.json_array_elements_text($1::pg_catalog.json) AS o(value)) \
    ORDER BY c.relkind IN ('i', 'I', 't'), 1, 2 LIMIT 1";

/// The relations that a statement may touch, by their OIDs.
pub(super) struct Named(BTreeSet<String>);

impl Named {
    /// Those that were named, and what is below them. Asked before the transaction, which is to hold no lock of the host's.
    pub(super) async fn find(session: &mut Session, tables: &[(String, String)]) -> Result<Self, Fault> {
        let mut oids = Vec::new();
        for row in session.own(FIND, &[&json(tables)?]).await? {
            match <[Option<String>; 3]>::try_from(row) {
                Ok([_, _, Some(oid)]) => oids.push(oid),
                Ok([schema, table, None]) => {
                    let (schema, table) = (schema.unwrap_or_default(), table.unwrap_or_default());
                    return Err(refused(404, "42P01", format!("there is no table or view {schema}.{table}")));
                }
                Err(_) => return Err(Fault::Lied("it says what was not asked".to_owned())),
            }
        }
        let catalogs = tables.iter().any(|(schema, _)| CATALOGS.contains(&schema.as_str()));
        let below = session.own(BELOW, &[&json(&oids)?, if catalogs { "true" } else { "false" }]).await?;
        Ok(Self(below.into_iter().flatten().flatten().collect()))
    }

    /// Whether what is to be run touches nothing else.
    pub(super) async fn hold_plan(&self, session: &mut Session) -> Result<(), Fault> {
        self.hold(LOCKED, session).await
    }

    /// Whether nothing else was touched by what has been run: a function that was called may have read what no plan names.
    pub(super) async fn hold_run(&self, session: &mut Session) -> Result<(), Fault> {
        self.hold(LOCKED, session).await?;
        // Asked last: to ask the catalog is to touch it.
        self.hold(COUNTED, session).await
    }

    async fn hold(&self, touched: &str, session: &mut Session) -> Result<(), Fault> {
        let touched = session.own(touched, &[]).await?.into_iter().flatten().flatten();
        let other: Vec<String> = touched.filter(|oid| !self.0.contains(oid)).collect();
        if other.is_empty() {
            return Ok(());
        }
        let called = session.own(CALLED, &[&json(&other)?]).await?.into_iter().next();
        let called = called.map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(".")).unwrap_or_default();
        Err(refused(403, "table-not-named", format!("the statement reads {called}, which is not among the tables that it names")))
    }
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Lied(error.to_string()))
}
