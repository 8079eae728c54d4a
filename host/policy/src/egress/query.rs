//! The query: split from the path, read once, and held against what the contract names.

use super::{
    contract::Contract,
    field::Fields,
    path::PathText,
    refusal::{Refusal, RefusalReason},
};
use crate::text::quote;

/// Bytes of a request target. Servers refuse or cut longer ones, each at its own length.
const MAX_TARGET: usize = 16 << 10;

/// Split a request target (RFC 9112, origin form only) and read both parts.
pub(super) fn read(path_and_query: &str) -> Result<(PathText, Fields), Refusal> {
    if path_and_query.len() > MAX_TARGET {
        return Err(Refusal::new(RefusalReason::QueryMalformed, format!("path and query are longer than {MAX_TARGET} bytes")));
    }
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let path = PathText::parse(path).map_err(|fault| {
        Refusal::new(RefusalReason::PathMalformed, format!("the path {} is refused: {fault}", quote(path, 120)))
    })?;
    let query = Fields::parse(query).map_err(|fault| {
        Refusal::new(RefusalReason::QueryMalformed, format!("the query {} is refused: {fault}", quote(query, 120)))
    })?;
    Ok((path, query))
}

/// Every parameter is named by the contract and has a value it allows.
pub(super) fn check(contract: &Contract, query: &Fields) -> Result<(), Refusal> {
    for (name, value) in query.iter() {
        let fits = match contract.query.get(name) {
            Some(pattern) => pattern.is_match(value),
            // A required parameter need not be named twice; what it must be was checked when the contract was matched.
            None => contract.require_query.iter().any(|(required, _)| required == name),
        };
        if !fits {
            return Err(Refusal::new(
                RefusalReason::QueryNotAllowed,
                format!("contract `{}` does not allow the query parameter {} with this value", contract.name, quote(name, 80)),
            ));
        }
    }
    Ok(())
}
