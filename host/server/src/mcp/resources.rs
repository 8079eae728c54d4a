//! Resources, from the house to the wire, and who watches them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_policy::Principal;
use rmcp::model::{
    CacheScope, ErrorData, ListResourceTemplatesResult, ListResourcesResult, MetaObject, ProtocolVersion, ReadResourceResult,
    Resource, ResourceContents, ResourceTemplate,
};
use serde_json::json;

use super::{Body, Contents, House, ResourceListing, Unserved, page::page};

/// How long a client may keep a list (2026-07-28). What is asked for is checked when it is, so an old list does no harm.
pub(super) const LIST_TTL_MS: u64 = 60_000;

/// Resources one client may watch at once: as many as a person could.
pub(super) const WATCHED: usize = 16;

/// How often what is watched is looked at.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Bytes of a URI; ours are shorter by far.
const URI_BYTES: usize = 1024;

/// One page of the list.
pub(super) fn listed(
    resources: &[ResourceListing],
    cursor: Option<&str>,
    size: usize,
    revision: &ProtocolVersion,
) -> Result<ListResourcesResult, ErrorData> {
    let page = page(resources, cursor, size).map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
    let wire = |listing: &ResourceListing| {
        Resource::new(listing.uri.clone(), listing.name.clone())
            .with_title(listing.title.clone())
            .with_description(listing.description.clone())
            .with_mime_type(listing.media_type.clone())
    };
    let mut result = ListResourcesResult::with_all_items(page.items.into_iter().map(wire).collect());
    result.next_cursor = page.next;
    if !revision.has_initialize() {
        result = result.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Private);
    }
    Ok(result)
}

/// One page of the templates.
pub(super) fn templates(
    templates: &[ResourceListing],
    cursor: Option<&str>,
    size: usize,
    revision: &ProtocolVersion,
) -> Result<ListResourceTemplatesResult, ErrorData> {
    let page = page(templates, cursor, size).map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
    let wire = |listing: &ResourceListing| {
        ResourceTemplate::new(listing.uri.clone(), listing.name.clone())
            .with_title(listing.title.clone())
            .with_description(listing.description.clone())
            .with_mime_type(listing.media_type.clone())
    };
    let mut result = ListResourceTemplatesResult::with_all_items(page.items.into_iter().map(wire).collect());
    result.next_cursor = page.next;
    if !revision.has_initialize() {
        result = result.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Private);
    }
    Ok(result)
}

/// What was read.
pub(super) fn contents(
    read: Result<Contents, Unserved>,
    uri: String,
    revision: &ProtocolVersion,
) -> Result<ReadResourceResult, ErrorData> {
    let Contents { body, media_type, meta, ttl_ms } = read.map_err(|unserved| fault(unserved, &uri))?;
    let contents = match body {
        Body::Text(text) => ResourceContents::text(text, uri),
        Body::Bytes(bytes) => ResourceContents::blob(STANDARD.encode(bytes), uri),
    };
    let mut contents = contents.with_mime_type(media_type);
    if !meta.is_empty() {
        contents = contents.with_meta(MetaObject(meta));
    }
    let result = ReadResourceResult::new(vec![contents]);
    // What is read depends on the principal, always.
    Ok(if revision.has_initialize() { result } else { result.with_ttl_ms(ttl_ms).with_cache_scope(CacheScope::Private) })
}

fn fault(unserved: Unserved, uri: &str) -> ErrorData {
    match unserved {
        Unserved::NotFound => not_found(uri),
        Unserved::Invalid(message) => ErrorData::invalid_params(message, None),
        Unserved::Denied { message, data } => ErrorData::invalid_request(message, data),
    }
}

/// There is no such resource for this principal; whether there is one for another is not said.
pub(super) fn not_found(uri: &str) -> ErrorData {
    let shown: String = uri.chars().take(URI_BYTES).collect();
    ErrorData::resource_not_found(
        "there is no such resource; `resources/list` names those there are",
        Some(json!({ "uri": shown, "reason": "resource-not-found" })),
    )
}

/// The resources of one client that are watched, each with what it was when it was last looked at.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<BTreeMap<String, Option<u64>>>);

impl Watched {
    /// Watch these, as many as there may be, and of them those that can be read.
    pub(super) fn of<H: House>(house: &H, principal: &Principal, uris: &[String]) -> Self {
        let watched = Self::default();
        for uri in uris {
            let _ = watched.begin(house, principal, uri);
        }
        watched
    }

    /// Watch one more.
    pub(super) fn begin<H: House>(&self, house: &H, principal: &Principal, uri: &str) -> Result<(), ErrorData> {
        let stamp = Some(uri).filter(|uri| uri.len() <= URI_BYTES).and_then(|uri| house.stamp(principal, uri));
        let stamp = stamp.ok_or_else(|| not_found(uri))?;
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !watched.contains_key(uri) && watched.len() >= WATCHED {
            return Err(super::in_flight::busy("subscriptions", WATCHED));
        }
        watched.insert(uri.to_owned(), Some(stamp));
        Ok(())
    }

    /// Watch one less.
    pub(super) fn end(&self, uri: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uri);
    }

    /// Those that are watched.
    pub(super) fn uris(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Those that differ from the last look. What can no longer be read does not: nothing is said of it any more.
    pub(super) fn changed<H: House>(&self, house: &H, principal: &Principal) -> Vec<String> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = |(uri, known): (&String, &mut Option<u64>)| {
            let now = house.stamp(principal, uri);
            let differs = now.is_some() && now != *known;
            *known = now;
            differs.then(|| uri.clone())
        };
        watched.iter_mut().filter_map(differs).collect()
    }
}
