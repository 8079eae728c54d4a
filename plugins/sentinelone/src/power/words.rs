//! The words that a query may hold: a positive list, and why others are not on it.

/// The commands. Whatever else stands behind a pipe is refused.
pub(super) const COMMANDS: &str = "filter, columns, let, group, sort, limit, parse";

/// Functions, of values and of groups. None of them reads anything but what it is given.
const FUNCTIONS: [&str; 92] = [
    // Of groups.
    "all_true",
    "any",
    "any_true",
    "array_agg",
    "array_agg_distinct",
    "average",
    "avg",
    "count",
    "estimate_distinct",
    "max",
    "max_by",
    "mean",
    "median",
    "min",
    "min_by",
    "newest",
    "oldest",
    "p10",
    "p50",
    "p90",
    "p95",
    "p99",
    "p999",
    "pct",
    "stddev",
    "sum",
    // Of rows.
    "overall_avg",
    "overall_count",
    "overall_max",
    "overall_mean",
    "overall_min",
    "overall_sum",
    "percent_of_total",
    "running_count",
    "running_percent",
    "running_sum",
    // Of numbers.
    "abs",
    "ceiling",
    "exp",
    "floor",
    "ln",
    "log",
    "number",
    "pow",
    "sqrt",
    // Of texts.
    "bool",
    "format",
    "isblank",
    "isempty",
    "json_object_value",
    "len",
    "lower",
    "ltrim",
    "pad_version",
    "replace",
    "rtrim",
    "string",
    "substr",
    "trim",
    "upper",
    // Of arrays.
    "array",
    "array_from_json",
    "array_get",
    "array_to_json",
    "extract_matches",
    "split",
    // Of addresses.
    "geo_distance",
    "geo_ip_city",
    "geo_ip_continent",
    "geo_ip_country",
    "geo_ip_country_iso",
    "geo_ip_location",
    "geo_ip_state",
    "net_ip",
    "net_ipsubnet",
    "net_ipv4",
    "net_ipv6",
    "net_private",
    "net_rfc1918",
    "net_rfc4193",
    "net_url_domain",
    "net_url_netloc",
    "net_url_path",
    "net_url_port",
    "net_url_scheme",
    "net_url_tld",
    // Of time.
    "queryend",
    "queryspan",
    "querystart",
    "simpledateformat",
    "strftime",
    "timebucket",
];

/// Words of the language. No field and no column has such a name here.
const KEYWORDS: [&str; 12] = ["and", "as", "by", "contains", "from", "func", "in", "matches", "not", "on", "or", "where"];

/// Shortcuts for several fields at once.
const SHORTCUTS: [&str; 12] =
    ["#cmdline", "#dns", "#filepath", "#hash", "#ip", "#md5", "#name", "#sha1", "#sha256", "#storylineid", "#uid", "#username"];

/// Commands that are known and not allowed, and what they would do.
const REFUSED: [(&str, &str); 16] = [
    ("union", "adds the result of another query, which the site's filter is no part of"),
    ("join", "adds the result of another query, which the site's filter is no part of"),
    ("inner", "begins a join, which adds the result of another query"),
    ("left", "begins a join, which adds the result of another query"),
    ("outer", "begins a join, which adds the result of another query"),
    ("sql", "begins a join, which adds the result of another query"),
    ("dataset", "reads a table that is not of this site"),
    ("datasource", "reads a source that is not of this site"),
    ("lookup", "reads a table that is not of this site"),
    ("savelookup", "stores its result as a table, and this only reads"),
    ("compare", "looks at another time than the one that was asked for"),
    ("timeshift", "looks at another time than the one that was asked for"),
    ("nolimit", "lifts the limit of rows"),
    ("transpose", "makes columns of values, and has to be last, where the limit is"),
    ("top", "estimates; use group, sort and limit"),
    ("count_distinct", "is not supported by the data lake; use estimate_distinct"),
];

pub(super) fn is_function(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

/// In any case: to SentinelOne, `AND` is `and`.
pub(super) fn is_keyword(name: &str) -> bool {
    KEYWORDS.iter().any(|keyword| name.eq_ignore_ascii_case(keyword))
}

pub(super) fn is_shortcut(name: &str) -> bool {
    SHORTCUTS.contains(&name)
}

/// What a known word would do that is not allowed.
pub(super) fn refused(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(word, _)| name.eq_ignore_ascii_case(word)).map(|(_, why)| *why)
}
