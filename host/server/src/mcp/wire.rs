//! What the house says, in the words of the protocol.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::model::{
    CallToolResult, ContentBlock, Icon, MetaObject, ProtocolVersion, Resource, ResourceContents, Tool, ToolAnnotations,
};

use super::{Content, Reply, ToolListing, house};

/// What is shown beside a name, in the revisions that have it.
pub(super) fn icons(icon: Option<&house::Icon>, revision: &ProtocolVersion) -> Option<Vec<Icon>> {
    let icon = icon.filter(|_| *revision >= ProtocolVersion::V_2025_11_25)?;
    let (width, height) = icon.size;
    let wire = Icon::new(icon.uri.clone()).with_mime_type(icon.media_type).with_sizes(vec![format!("{width}x{height}")]);
    Some(vec![wire])
}

/// A tool of a list.
pub(super) fn tool(listing: &ToolListing, revision: &ProtocolVersion) -> Tool {
    let hints = listing.annotations;
    let annotations = ToolAnnotations::new()
        .read_only(hints.read_only)
        .destructive(hints.destructive)
        .idempotent(hints.idempotent)
        .open_world(hints.open_world);
    let mut tool = Tool::new(listing.name.clone(), listing.description.clone(), Arc::clone(&listing.input_schema))
        .with_title(listing.title.clone())
        .with_annotations(annotations);
    tool.output_schema = listing.output_schema.clone();
    tool.icons = icons(listing.icon.as_ref(), revision);
    tool
}

pub(super) fn content(content: Content) -> ContentBlock {
    match content {
        Content::Text(text) => ContentBlock::text(text),
        Content::Image { media_type, data } => ContentBlock::image(STANDARD.encode(data), media_type),
        Content::Audio { media_type, data } => ContentBlock::audio(STANDARD.encode(data), media_type),
        Content::Embedded { uri, media_type: mime_type, text } => {
            ContentBlock::resource(ResourceContents::TextResourceContents { uri, mime_type, text, meta: None })
        }
        Content::Link { uri, name, media_type } => {
            let mut link = Resource::new(uri, name);
            link.mime_type = media_type;
            ContentBlock::resource_link(link)
        }
    }
}

/// What became of a call, as a revision has it.
pub(super) fn reply(reply: Reply, revision: &ProtocolVersion) -> CallToolResult {
    let blocks = reply.content.into_iter().map(content).collect();
    let mut result = if reply.is_error { CallToolResult::error(blocks) } else { CallToolResult::success(blocks) };
    // Before 2026-07-28 structured content is an object or absent.
    result.structured_content = reply.structured.filter(|value| value.is_object() || !revision.has_initialize());
    result.meta = Some(reply.meta).filter(|meta| !meta.is_empty()).map(MetaObject);
    result
}

/// What a model would have read.
pub(super) fn text_of(reply: &Reply) -> String {
    let texts = reply.content.iter().filter_map(|content| match content {
        Content::Text(text) => Some(text.as_str()),
        Content::Embedded { text, .. } => Some(text.as_str()),
        Content::Image { .. } | Content::Audio { .. } | Content::Link { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}
