//! The words of LogsQL that a search may hold, and what is wrong with the best known of the others.

/// Functions of a filter, whose arguments are texts.
pub(super) const FUNCTIONS: [&str; 9] =
    ["in", "contains_any", "contains_all", "i", "seq", "ipv4_range", "len_range", "string_range", "pattern_match"];

/// Functions of `stats`.
pub(super) const STATS: [&str; 12] =
    ["count", "count_empty", "count_uniq", "sum", "sum_len", "avg", "min", "max", "median", "quantile", "uniq_values", "values"];

/// Words that mean something where a value may stand.
pub(super) fn is_reserved(word: &str) -> bool {
    ["and", "or", "not", "options", "if"].iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

/// Why a word of LogsQL has no place in a search.
pub(super) fn fault(word: &str) -> Option<&'static str> {
    Some(match word {
        "join" | "union" => "holds a query of its own",
        "options" => "changes what a query looks at, its span of time among it",
        "stream_context" => "shows entries that were not looked for",
        "generate_sequence" => "makes entries that are in no log",
        "blocks_count" | "block_stats" | "query_stats" | "value_type" => "tells of the service and not of the logs",
        "time_offset" | "time_add" => "makes entries look as if they were of another time",
        "set_stream_fields" => "makes entries look as if they were of another stream",
        "eq_field" | "lt_field" | "le_field" | "field_names" | "field_values" | "facets" | "format" | "pack_json"
        | "pack_logfmt" => "takes fields in a way that is not read here",
        _ => return None,
    })
}

/// Why a field cannot be named in a filter.
pub(super) fn field_fault(name: &str) -> Option<&'static str> {
    match name {
        "_time" => Some("is bound by the argument `window`; leave it out"),
        "_stream" | "_stream_id" => Some("is chosen by the arguments; leave it out"),
        name if name.contains('*') => Some("stands for more than one field; name each"),
        _ => None,
    }
}

/// The names that `extract` gives to what it finds: `<name>` in its pattern.
pub(super) fn placeholders(pattern: &str) -> impl Iterator<Item = &str> {
    let inside = pattern.split('<').skip(1).filter_map(|rest| rest.split('>').next());
    inside.map(|name| name.rsplit(':').next().unwrap_or(name).trim())
}

/// `1h`, `10`, `0.5`: a length of time or a number.
pub(super) fn is_step(word: &str) -> bool {
    let number = word.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    word.len() <= 12
        && number.parse().is_ok_and(|number: f64| number > 0.0 && number.is_finite())
        && ["", "ns", "us", "ms", "s", "m", "h", "d", "w", "y"].contains(&word.get(number.len()..).unwrap_or_default())
}
