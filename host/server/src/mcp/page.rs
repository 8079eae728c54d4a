//! Pages of lists: in the order of the names, with cursors that only this module reads.
//!
//! A cursor names the last item of the page before, not a position: a list that changes between two pages
//! neither repeats nor skips what was there all along. It is of one list; it opens nothing, since each page is of what the
//! principal sees now.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{PromptListing, ResourceListing, ToolListing};

/// What is listed, by what is unique in its list.
pub(super) trait Listed {
    /// Tells this list's cursors from other text, and this form of them from later ones.
    const CURSOR: &'static str;

    fn key(&self) -> &str;
}

impl Listed for ToolListing {
    const CURSOR: &'static str = "tools-after:";

    fn key(&self) -> &str {
        &self.name
    }
}

impl Listed for PromptListing {
    const CURSOR: &'static str = "prompts-after:";

    fn key(&self) -> &str {
        &self.name
    }
}

impl Listed for ResourceListing {
    const CURSOR: &'static str = "resources-after:";

    fn key(&self) -> &str {
        &self.uri
    }
}

/// One page and the cursor of the next, if there is one.
#[derive(Debug, PartialEq)]
pub(super) struct Page<'a, T> {
    pub(super) items: Vec<&'a T>,
    pub(super) next: Option<String>,
}

/// A cursor that this server did not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one this server gave out\nhelp: list again without a cursor")]
pub(super) struct UnknownCursor;

/// The page of `items` that `cursor` asks for, `size` long.
pub(super) fn page<'a, T: Listed>(items: &'a [T], cursor: Option<&str>, size: usize) -> Result<Page<'a, T>, UnknownCursor> {
    let mut sorted: Vec<&T> = items.iter().collect();
    sorted.sort_by(|left, right| left.key().cmp(right.key()));
    let mut rest = sorted;
    if let Some(cursor) = cursor {
        let after = decode::<T>(cursor)?;
        rest.retain(|item| item.key() > after.as_str());
    }
    let more = rest.len() > size;
    rest.truncate(size);
    let next = if more { rest.last().map(|item| encode(*item)) } else { None };
    Ok(Page { items: rest, next })
}

fn encode<T: Listed>(item: &T) -> String {
    BASE64_URL_SAFE_NO_PAD.encode([T::CURSOR.as_bytes(), item.key().as_bytes()].concat())
}

fn decode<T: Listed>(cursor: &str) -> Result<String, UnknownCursor> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| UnknownCursor)?;
    let name = bytes.strip_prefix(T::CURSOR.as_bytes()).ok_or(UnknownCursor)?;
    String::from_utf8(name.to_vec()).map_err(|_| UnknownCursor)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Page, UnknownCursor, page};
    use crate::mcp::{ToolListing, tests::listing};

    fn names(page: &Page<'_, ToolListing>) -> Vec<String> {
        page.items.iter().map(|tool| tool.name.clone()).collect()
    }

    #[test]
    fn pages_are_in_name_order_and_complete() {
        let tools: Vec<_> = ["d", "a", "e", "c", "b"].map(listing).into();
        let first = page(&tools, None, 2).unwrap();
        assert_eq!(names(&first), ["a", "b"]);
        let second = page(&tools, first.next.as_deref(), 2).unwrap();
        assert_eq!(names(&second), ["c", "d"]);
        let third = page(&tools, second.next.as_deref(), 2).unwrap();
        assert_eq!(names(&third), ["e"]);
        assert_eq!(third.next, None);
    }

    #[test]
    fn a_full_last_page_has_no_next() {
        let tools: Vec<_> = ["a", "b"].map(listing).into();
        assert_eq!(page(&tools, None, 2).unwrap().next, None);
    }

    #[test]
    fn a_tool_removed_between_pages_does_not_move_the_others() {
        let before: Vec<_> = ["a", "b", "c", "d"].map(listing).into();
        let next = page(&before, None, 2).unwrap().next;
        let after: Vec<_> = ["a", "c", "d"].map(listing).into();
        assert_eq!(names(&page(&after, next.as_deref(), 2).unwrap()), ["c", "d"]);
    }

    #[test]
    fn foreign_cursors_are_refused() {
        for cursor in ["", "2", "not base64!", "YWJj", "dG9vbHMtYWZ0ZXI6_w"] {
            assert_eq!(page::<ToolListing>(&[], Some(cursor), 2).unwrap_err(), UnknownCursor, "`{cursor}`");
        }
    }
}
