//! The words of SQL: which ones a statement may have, and why it may not have others.

/// Words that are no names unless they stand in quotes, and may stand in a statement. They are written in capitals, so that the gate tells
/// them from names and functions.
const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "BETWEEN",
    "CASE",
    "COLLATE",
    "CROSS",
    "CURRENT_DATE",
    "CURRENT_TIMESTAMP",
    "DESC",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "FALSE",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INTERSECT",
    "IS",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "RIGHT",
    "SELECT",
    "THEN",
    "TRUE",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// A word that is no name in a statement of PostgreSQL, as it is written.
pub(super) fn keyword(word: &str) -> Option<&'static str> {
    KEYWORDS.iter().find(|keyword| keyword.eq_ignore_ascii_case(word)).copied()
}

/// Words that are no names either, and have no place in a statement: why.
pub(super) fn refused(word: &str) -> Option<&'static str> {
    Some(match word {
        "into" => "it writes what is found into a table; leave it out",
        "for" => "it locks rows; leave it out",
        "table" => "it stands at the beginning only; write `SELECT * FROM`",
        "natural" => "it compares columns that nobody names; write `JOIN … USING (…)`",
        "fetch" => "write `LIMIT`",
        "cast" => "it is written `CAST(… AS type)`",
        "only" => "it has no place here; leave it out",
        "both" | "leading" | "trailing" => "write `btrim`, `ltrim` or `rtrim`",
        "isnull" | "notnull" => "write `IS NULL` or `IS NOT NULL`",
        "similar" => "write `LIKE` or `~`",
        "overlaps" | "symmetric" | "asymmetric" => "write comparisons with `<` and `>`",
        "localtime" | "localtimestamp" | "current_time" => "write `CURRENT_TIMESTAMP`",
        "current_user" | "session_user" | "system_user" | "user" | "current_role" | "current_catalog" | "current_schema" => {
            "it is about the connection; put it in double quotes if it is the name of a column"
        }
        "tablesample" => "it calls a function of the server; leave it out",
        "variadic" | "default" | "returning" | "placing" | "to" | "some" => "it has no place here",
        "analyse" | "analyze" | "authorization" | "binary" | "check" | "collation" | "column" | "concurrently" | "constraint"
        | "create" | "deferrable" | "do" | "foreign" | "freeze" | "grant" | "initially" | "primary" | "references" | "unique"
        | "verbose" => "it is a word of SQL; put it in double quotes if it is a name",
        _ => return None,
    })
}

/// Statements that write, which PostgreSQL takes inside of one that reads.
pub(super) fn writes(word: &str) -> bool {
    ["insert", "update", "delete", "merge"].contains(&word)
}

/// Functions that compute from their arguments, or from the rows they are given, and from nothing else. `extract`, `substring` and
/// `position` have words of their own inside.
const FUNCTIONS: &[&str] = &[
    // Of many rows.
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "every",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
    // Of a window.
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
    // Of any value.
    "coalesce",
    "greatest",
    "least",
    "nullif",
    // Of texts.
    "ascii",
    "btrim",
    "char_length",
    "chr",
    "concat",
    "concat_ws",
    "decode",
    "encode",
    "initcap",
    "left",
    "length",
    "lower",
    "ltrim",
    "md5",
    "octet_length",
    "position",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_matches",
    "regexp_replace",
    "regexp_split_to_array",
    "regexp_split_to_table",
    "regexp_substr",
    "replace",
    "reverse",
    "right",
    "rtrim",
    "sha256",
    "sha512",
    "split_part",
    "starts_with",
    "string_to_array",
    "string_to_table",
    "strpos",
    "substr",
    "substring",
    "to_char",
    "translate",
    "trim",
    "upper",
    // Of numbers.
    "abs",
    "cbrt",
    "ceil",
    "ceiling",
    "degrees",
    "div",
    "exp",
    "floor",
    "gcd",
    "lcm",
    "ln",
    "log",
    "log10",
    "mod",
    "pi",
    "power",
    "radians",
    "random",
    "round",
    "sign",
    "sqrt",
    "to_number",
    "trunc",
    "width_bucket",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    // Of times.
    "age",
    "clock_timestamp",
    "date",
    "date_bin",
    "date_part",
    "date_trunc",
    "extract",
    "isfinite",
    "justify_days",
    "justify_hours",
    "justify_interval",
    "make_date",
    "make_interval",
    "make_time",
    "make_timestamp",
    "make_timestamptz",
    "now",
    "to_date",
    "to_timestamp",
    "timezone",
    // Of arrays.
    "array_append",
    "array_cat",
    "array_dims",
    "array_length",
    "array_lower",
    "array_ndims",
    "array_position",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_replace",
    "array_to_json",
    "array_to_string",
    "array_upper",
    "cardinality",
    "unnest",
    // Of JSON.
    "json_array_elements",
    "json_array_elements_text",
    "json_array_length",
    "json_build_array",
    "json_build_object",
    "json_each",
    "json_each_text",
    "json_extract_path",
    "json_extract_path_text",
    "json_object_keys",
    "json_typeof",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_array_length",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_extract_path",
    "jsonb_extract_path_text",
    "jsonb_object_keys",
    "jsonb_pretty",
    "jsonb_strip_nulls",
    "jsonb_typeof",
    "row_to_json",
    "to_json",
    "to_jsonb",
    // Of addresses and ranges.
    "abbrev",
    "broadcast",
    "family",
    "host",
    "isempty",
    "masklen",
    "netmask",
    "network",
    // Of nothing.
    "gen_random_uuid",
    "generate_series",
];

/// A function that may be called, as it is written.
pub(super) fn function(word: &str) -> Option<&'static str> {
    FUNCTIONS.iter().find(|function| **function == word).copied()
}

/// What a function does that may not be called, where a kind of them is known by how it begins.
fn deeds(word: &str) -> Option<&'static str> {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| word.starts_with(prefix));
    Some(if begins(&["lo_", "loread", "lowrite", "pg_read", "pg_ls", "pg_stat_file", "pg_file"]) {
        "it reads or writes files of the server"
    } else if begins(&["dblink", "postgres_fdw"]) {
        "it connects elsewhere"
    } else if begins(&["query_to_", "table_to_", "cursor_to_", "schema_to_", "database_to_", "ts_stat", "ts_rewrite"]) {
        "it runs a statement of its own, or reads tables that nobody names"
    } else if begins(&["nextval", "setval", "currval", "lastval"]) {
        "it is about a sequence"
    } else if begins(&["to_reg", "col_description", "obj_description", "shobj_description", "format_type"]) {
        "it looks into the catalog; `list_tables` and `describe_table` say what there is"
    } else if begins(&[
        "pg_",
        "current_setting",
        "set_config",
        "inet_server_",
        "inet_client_",
        "txid_",
        "binary_upgrade",
        "currtid",
    ]) {
        "it is about the server or the connection, and not about a table"
    } else {
        return None;
    })
}

/// Why a function may not be called.
pub(super) fn no_function(word: &str) -> String {
    let why = match word {
        "repeat" | "lpad" | "rpad" | "format" => "it makes texts as long as one likes",
        "version" => "it is about the server or the connection, and not about a table",
        _ => deeds(word).unwrap_or(
            "it is not among the functions that are listed here; where it is no function, `AS` stands before an alias with columns",
        ),
    };
    format!("`{}` may not be called: {why}", casemate_plugin::clip(word, 80))
}

/// Why a name may not stand behind a dot: where there is no such column, PostgreSQL takes `a.b` for the call `b(a)`.
pub(super) fn called_by_dot(word: &str) -> Option<String> {
    deeds(word).map(|why| format!("`.{}` would be a call where there is no such column: {why}", casemate_plugin::clip(word, 80)))
}

/// Functions that show all columns of a row, behind a dot.
pub(super) fn shows_rows(word: &str) -> bool {
    let shows = ["array_agg", "concat", "quote_literal", "quote_nullable", "record_send", "row_to_json", "to_json", "to_jsonb"];
    shows.contains(&word)
        || word.ends_with("_out")
        || word.starts_with("hash_record")
        || ["json_", "jsonb_"].iter().any(|kind| word.starts_with(kind)) && function(word).is_some()
}

/// Types that a value may be cast to, by each of their names in one word, and the name that is written.
const TYPES: &[(&str, &str)] = &[
    ("bool", "bool"),
    ("boolean", "bool"),
    ("bytea", "bytea"),
    ("bigint", "int8"),
    ("cidr", "cidr"),
    ("date", "date"),
    ("decimal", "numeric"),
    ("float", "float8"),
    ("float4", "float4"),
    ("float8", "float8"),
    ("inet", "inet"),
    ("int", "int4"),
    ("int2", "int2"),
    ("int4", "int4"),
    ("int8", "int8"),
    ("integer", "int4"),
    ("interval", "interval"),
    ("json", "json"),
    ("jsonb", "jsonb"),
    ("macaddr", "macaddr"),
    ("numeric", "numeric"),
    ("real", "float4"),
    ("smallint", "int2"),
    ("text", "text"),
    ("time", "time"),
    ("timestamp", "timestamp"),
    ("timestamptz", "timestamptz"),
    ("timetz", "timetz"),
    ("uuid", "uuid"),
    ("varchar", "varchar"),
];

/// A type in one word, as it is written.
pub(super) fn type_name(word: &str) -> Option<&'static str> {
    TYPES.iter().find(|(name, _)| *name == word).map(|(_, written)| *written)
}

/// What stands behind an interval in SQL's own way, outside of the quotes.
pub(super) fn is_unit(word: &str) -> bool {
    ["year", "month", "day", "hour", "minute", "second"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_in_one_table() {
        for word in KEYWORDS.iter().map(|word| word.to_ascii_lowercase()) {
            assert_eq!(refused(&word), None, "{word}");
        }
        for (at, function) in FUNCTIONS.iter().enumerate() {
            assert!(!FUNCTIONS.iter().skip(at + 1).any(|other| other == function), "{function} stands twice");
        }
        for function in
            ["pg_read_file", "lo_import", "query_to_xml", "set_config", "current_setting", "nextval", "version", "repeat"]
        {
            assert_eq!(super::function(function), None);
        }
    }
}
