//! Types by the numbers that PostgreSQL gives them: <https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat>.

const TYPES: &[(u32, &str)] = &[
    (16, "bool"),
    (17, "bytea"),
    (18, "char"),
    (19, "name"),
    (20, "int8"),
    (21, "int2"),
    (23, "int4"),
    (25, "text"),
    (26, "oid"),
    (114, "json"),
    (142, "xml"),
    (199, "json[]"),
    (600, "point"),
    (650, "cidr"),
    (700, "float4"),
    (701, "float8"),
    (774, "macaddr8"),
    (790, "money"),
    (829, "macaddr"),
    (869, "inet"),
    (1000, "bool[]"),
    (1001, "bytea[]"),
    (1005, "int2[]"),
    (1007, "int4[]"),
    (1009, "text[]"),
    (1014, "bpchar[]"),
    (1015, "varchar[]"),
    (1016, "int8[]"),
    (1021, "float4[]"),
    (1022, "float8[]"),
    (1041, "inet[]"),
    (1042, "bpchar"),
    (1043, "varchar"),
    (1082, "date"),
    (1083, "time"),
    (1114, "timestamp"),
    (1115, "timestamp[]"),
    (1182, "date[]"),
    (1184, "timestamptz"),
    (1185, "timestamptz[]"),
    (1186, "interval"),
    (1231, "numeric[]"),
    (1266, "timetz"),
    (1560, "bit"),
    (1562, "varbit"),
    (1700, "numeric"),
    (2249, "record"),
    (2950, "uuid"),
    (2951, "uuid[]"),
    (3614, "tsvector"),
    (3802, "jsonb"),
    (3807, "jsonb[]"),
    (3904, "int4range"),
    (3906, "numrange"),
    (3908, "tsrange"),
    (3910, "tstzrange"),
    (3912, "daterange"),
    (3926, "int8range"),
];

fn known(oid: u32) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

/// What a type is called.
pub(crate) fn name(oid: u32) -> String {
    known(oid).map_or_else(|| format!("oid {oid}"), str::to_owned)
}

/// Whether a value of the type can have a whole row in it: one of the types for documents, or one that a schema defines.
pub(crate) fn may_hold_rows(oid: u32) -> bool {
    known(oid).is_none_or(|name| name.starts_with("json") || matches!(name, "xml" | "record"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names() {
        assert_eq!((name(23), name(3802), name(16_400)), ("int4".to_owned(), "jsonb".to_owned(), "oid 16400".to_owned()));
        assert!([114, 199, 142, 2249, 2287, 3802, 3807, 16_400].into_iter().all(may_hold_rows));
        assert!(![16, 23, 25, 1009, 1184, 1700].into_iter().any(may_hold_rows));
        assert!(TYPES.is_sorted_by_key(|(oid, _)| *oid));
    }
}
