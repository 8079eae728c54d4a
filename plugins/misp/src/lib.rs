//! MISP: events and attributes of granted organisations, what is known to be harmless, and adding to events and publishing them.
//!
//! The tools are glue; each module holds one of them. An event is found by [`event`] alone: of the organisation that the call names, and not
//! tagged tlp:red; whatever is otherwise is not there.

mod addition;
mod api;
mod attribute;
mod attributes;
mod event;
mod events;
mod field;
mod publication;
mod search;
mod sighting;
mod warninglists;

use casemate_plugin::{Context, Failure, plugin, tool};

/// Search the events of organisations that were published lately, by a value or type that one of their attributes has, or by a tag. Without
/// their attributes: get_event shows those. Events tagged tlp:red are never found.
#[tool(effect = read, idempotent, title = "Search MISP events")]
pub fn search_events(args: events::Arguments, cx: &Context) -> Result<events::Listing, Failure> {
    events::search(args, cx)
}

/// Search attributes, such as an address or a hash, in the events of organisations that were published lately. What is tagged tlp:red, or in
/// an event that is, is never found.
#[tool(effect = read, idempotent, title = "Search MISP attributes")]
pub fn search_attributes(args: attributes::Arguments, cx: &Context) -> Result<attributes::Listing, Failure> {
    attributes::search(args, cx)
}

/// Look at one event with up to 200 of its attributes. An event of another organisation, or one tagged tlp:red, is not there.
#[tool(effect = read, idempotent, title = "MISP event")]
pub fn get_event(args: event::Arguments, cx: &Context) -> Result<event::Shown, Failure> {
    event::get(args, cx)
}

/// Say which of MISP's lists of known harmless things hold a value, such as an address of a public resolver. One that is on none is not
/// thereby harmful.
#[tool(effect = read, idempotent, title = "Check MISP warninglists")]
pub fn check_warninglists(args: warninglists::Arguments, cx: &Context) -> Result<warninglists::Hits, Failure> {
    warninglists::check(args, cx)
}

/// Add an attribute to an event. It is seen by this MISP user's own organisation only, until somebody says otherwise in MISP. A published
/// event is unpublished by it, which MISP does by itself.
#[tool(effect = write, title = "Add a MISP attribute")]
pub fn add_attribute(args: addition::Arguments, cx: &Context) -> Result<addition::Added, Failure> {
    addition::add(args, cx)
}

/// Say that an attribute was seen, was a false positive, or is no longer valid.
#[tool(effect = write, title = "Add a MISP sighting")]
pub fn add_sighting(args: sighting::Arguments, cx: &Context) -> Result<sighting::Sighted, Failure> {
    sighting::add(args, cx)
}

/// Publish an event: it is sent to everybody that its distribution names, and cannot be taken back. Its title and its distribution must be
/// those that the event has, so that whoever agrees to it sees what is shared, and with whom.
#[tool(effect = destructive, idempotent, title = "Publish a MISP event")]
pub fn publish_event(args: publication::Arguments, cx: &Context) -> Result<publication::Published, Failure> {
    publication::publish(args, cx)
}

plugin!(search_events, search_attributes, get_event, check_warninglists, add_attribute, add_sighting, publish_event);
