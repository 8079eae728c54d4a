//! The words of KQL that a search may hold, and what is wrong with the best known of the others.

/// Operators between two values.
pub(super) const COMPARISONS: [&str; 31] = [
    "==",
    "!=",
    "=~",
    "!~",
    "<",
    "<=",
    ">",
    ">=",
    "<>",
    "contains",
    "!contains",
    "contains_cs",
    "!contains_cs",
    "startswith",
    "!startswith",
    "startswith_cs",
    "!startswith_cs",
    "endswith",
    "!endswith",
    "endswith_cs",
    "!endswith_cs",
    "has",
    "!has",
    "has_cs",
    "!has_cs",
    "hasprefix",
    "!hasprefix",
    "hassuffix",
    "!hassuffix",
    "hasprefix_cs",
    "hassuffix_cs",
];

/// Operators whose right side is a list of literals.
pub(super) const LISTS: [&str; 6] = ["in", "!in", "in~", "!in~", "has_any", "has_all"];

/// Types that a value can be read as.
pub(super) const TYPES: [&str; 12] =
    ["string", "int", "long", "real", "double", "decimal", "bool", "boolean", "datetime", "timespan", "dynamic", "guid"];

/// Literals of a type that hold one plain literal.
pub(super) const CASTS: [&str; 6] = ["int", "long", "real", "double", "decimal", "bool"];

/// Functions of values. Each computes from its arguments alone: none reads a table, another service or the caller's identity.
const SCALAR: &[&str] = &[
    "abs",
    "ago",
    "array_concat",
    "array_iff",
    "array_index_of",
    "array_length",
    "array_reverse",
    "array_slice",
    "array_sort_asc",
    "array_sort_desc",
    "array_sum",
    "bag_has_key",
    "bag_keys",
    "bag_merge",
    "bag_pack",
    "base64_decode_tostring",
    "base64_encode_tostring",
    "bin",
    "bin_at",
    "binary_and",
    "binary_or",
    "binary_xor",
    "case",
    "ceiling",
    "coalesce",
    "column_ifexists",
    "countof",
    "datetime_add",
    "datetime_diff",
    "datetime_part",
    "datetime_utc_to_local",
    "dayofmonth",
    "dayofweek",
    "dayofyear",
    "endofday",
    "endofmonth",
    "endofweek",
    "endofyear",
    "exp",
    "extract",
    "extract_all",
    "floor",
    "format_bytes",
    "format_datetime",
    "format_ipv4",
    "format_ipv4_mask",
    "format_timespan",
    "geo_distance_2points",
    "geo_info_from_ip_address",
    "getmonth",
    "gettype",
    "getyear",
    "has_any_index",
    "has_any_ipv4",
    "has_any_ipv4_prefix",
    "has_ipv4",
    "has_ipv4_prefix",
    "hash",
    "hash_md5",
    "hash_sha1",
    "hash_sha256",
    "hash_xxhash64",
    "hourofday",
    "iff",
    "iif",
    "indexof",
    "indexof_regex",
    "ipv4_compare",
    "ipv4_is_in_any_range",
    "ipv4_is_in_range",
    "ipv4_is_match",
    "ipv4_is_private",
    "ipv4_netmask_suffix",
    "ipv6_compare",
    "ipv6_is_in_range",
    "ipv6_is_match",
    "isascii",
    "isempty",
    "isfinite",
    "isinf",
    "isnan",
    "isnotempty",
    "isnotnull",
    "isnull",
    "isutf8",
    "jaccard_index",
    "log",
    "log10",
    "log2",
    "make_datetime",
    "make_string",
    "make_timespan",
    "max_of",
    "min_of",
    "monthofyear",
    "not",
    "notempty",
    "notnull",
    "now",
    "pack",
    "pack_array",
    "parse_command_line",
    "parse_csv",
    "parse_ipv4",
    "parse_ipv4_mask",
    "parse_ipv6",
    "parse_json",
    "parse_path",
    "parse_url",
    "parse_urlquery",
    "parse_user_agent",
    "parse_version",
    "parse_xml",
    "parsejson",
    "pow",
    "replace_regex",
    "replace_string",
    "replace_strings",
    "reverse",
    "round",
    "set_difference",
    "set_has_element",
    "set_intersect",
    "set_union",
    "sign",
    "split",
    "sqrt",
    "startofday",
    "startofmonth",
    "startofweek",
    "startofyear",
    "strcat",
    "strcat_array",
    "strcat_delim",
    "strcmp",
    "string_size",
    "strlen",
    "strrep",
    "substring",
    "tobool",
    "toboolean",
    "todatetime",
    "todecimal",
    "todouble",
    "todynamic",
    "toguid",
    "tohex",
    "toint",
    "tolong",
    "tolower",
    "toobject",
    "toreal",
    "tostring",
    "totimespan",
    "toupper",
    "translate",
    "trim",
    "trim_end",
    "trim_start",
    "unicode_codepoints_from_string",
    "unixtime_microseconds_todatetime",
    "unixtime_milliseconds_todatetime",
    "unixtime_nanoseconds_todatetime",
    "unixtime_seconds_todatetime",
    "url_decode",
    "url_encode",
    "week_of_year",
    "zip",
];

/// Functions of many rows, in `summarize` alone.
const AGGREGATE: &[&str] = &[
    "arg_max",
    "arg_min",
    "avg",
    "avgif",
    "count",
    "count_distinct",
    "count_distinctif",
    "countif",
    "dcount",
    "dcountif",
    "make_bag",
    "make_bag_if",
    "make_list",
    "make_list_if",
    "make_list_with_nulls",
    "make_set",
    "make_set_if",
    "max",
    "maxif",
    "min",
    "minif",
    "percentile",
    "percentiles",
    "percentiles_array",
    "stdev",
    "stdevif",
    "sum",
    "sumif",
    "take_any",
    "take_anyif",
    "variance",
    "varianceif",
];

/// Values that are words.
pub(super) fn constant(name: &str) -> Option<&'static str> {
    ["true", "false", "null"].into_iter().find(|word| *word == name)
}

/// What a function computes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// The values of one row.
    Scalar,
    /// Those of many.
    Aggregate,
}

/// The function of that name, if a search may call it.
pub(super) fn function(name: &str) -> Option<Function> {
    if SCALAR.binary_search(&name).is_ok() {
        Some(Function::Scalar)
    } else {
        AGGREGATE.binary_search(&name).is_ok().then_some(Function::Aggregate)
    }
}

/// Why a word of KQL has no place in a search. These words are refused as names, too: nobody should have to wonder what they are.
pub(super) fn fault(word: &str) -> Option<&'static str> {
    Some(match word {
        "union" | "join" | "lookup" | "graph-match" | "make-graph" | "graph" | "find" | "search" => {
            "reads other tables than the one that is searched"
        }
        "let" | "set" | "declare" | "alias" | "pattern" | "restrict" | "def" => "begins a statement, and a search is one alone",
        "workspace" | "app" | "resource" | "cluster" | "database" | "adx" | "arg" => "reads from elsewhere",
        "table"
        | "external_table"
        | "materialized_view"
        | "materialize"
        | "view"
        | "toscalar"
        | "totable"
        | "stored_query_result"
        | "cached" => "reads a table inside of an expression",
        "externaldata"
        | "evaluate"
        | "invoke"
        | "http_request"
        | "http_request_post"
        | "sql_request"
        | "mysql_request"
        | "postgresql_request"
        | "cosmosdb_sql_request"
        | "azure_digital_twins_query_request" => "runs or fetches something else",
        "mv-apply" | "partition" | "fork" | "facet" | "macro-expand" | "scan" | "foreach" => "holds a query of its own",
        "datatable" | "print" | "range" => "makes rows that are in no table",
        "ingestion_time"
        | "current_principal"
        | "current_principal_details"
        | "current_principal_is_member_of"
        | "extent_id"
        | "extent_tags"
        | "cursor_after"
        | "cursor_before_or_at"
        | "current_cluster_endpoint"
        | "current_database" => "tells of the service and not of the logs",
        "render" => "draws, and there is nobody who looks",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_apart() {
        assert!(SCALAR.is_sorted() && AGGREGATE.is_sorted());
        for name in SCALAR.iter().chain(AGGREGATE) {
            assert!(fault(name).is_none(), "{name}");
            assert!(!(SCALAR.contains(name) && AGGREGATE.contains(name)), "{name}");
        }
    }
}
