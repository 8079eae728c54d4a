//! The next page of a list (RFC 8288): of the same list, on the same host, and not for ever.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

use crate::{authority::Authority, request::RequestError};

/// A link to a next page that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not a link.
    #[error("`{0}` names a next page that is no usable link")]
    Invalid(Authority),
    /// Somewhere else.
    #[error("`{0}` names a next page that is not of the same list")]
    Elsewhere(Authority),
    /// A page that was seen, or too many of them.
    #[error("`{host}` has no last page; {max} were read")]
    Endless {
        /// Which host.
        host: Authority,
        /// How many pages are read.
        max: usize,
    },
}

impl PageError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "page-invalid",
            Self::Elsewhere(_) => "page-elsewhere",
            Self::Endless { .. } => "pages-endless",
        }
    }
}

/// The pages of one list.
pub(crate) struct Pages {
    host: Authority,
    next: Option<Url>,
    seen: Vec<Url>,
    max: usize,
}

impl Pages {
    pub(crate) fn new(host: &Authority, first: Url, max: usize) -> Self {
        Self { host: host.clone(), next: Some(first), seen: Vec::new(), max }
    }

    /// The next page to ask for, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Url>, RequestError> {
        let Some(url) = self.next.take() else { return Ok(None) };
        if self.seen.len() == self.max || self.seen.contains(&url) {
            return Err(PageError::Endless { host: self.host.clone(), max: self.seen.len() }.into());
        }
        self.seen.push(url.clone());
        Ok(Some(url))
    }

    /// What the answer to the last page says comes next.
    pub(crate) fn turn(&mut self, headers: &HeaderMap) -> Result<(), RequestError> {
        self.next = match self.seen.last() {
            Some(current) => next(current, headers, &self.host)?,
            None => None,
        };
        Ok(())
    }
}

fn next(current: &Url, headers: &HeaderMap, host: &Authority) -> Result<Option<Url>, PageError> {
    for value in headers.get_all(LINK) {
        let invalid = || PageError::Invalid(host.clone());
        let mut rest = value.to_str().map_err(|_| invalid())?.trim();
        while !rest.is_empty() {
            let (target, parameters) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or_else(invalid)?;
            // A comma inside a quoted parameter is not what a registry writes.
            let (parameters, others) = parameters.split_once(',').unwrap_or((parameters, ""));
            rest = others.trim();
            if !parameters.split(';').any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next")) {
                continue;
            }
            let url = current.join(target).map_err(|_| invalid())?;
            let same = url.origin() == current.origin() && url.path() == current.path();
            let bare = url.username() == current.username() && url.password() == current.password() && url.fragment().is_none();
            return if same && bare { Ok(Some(url)) } else { Err(PageError::Elsewhere(host.clone())) };
        }
    }
    Ok(None)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn check(link: &str, expected: Result<Option<&str>, &str>) {
        let current = Url::parse("https://a.example/v2/x/tags/list?n=2").unwrap();
        let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_str(link).unwrap())]);
        let found = next(&current, &headers, &"a.example".parse().unwrap());
        let found = found.as_ref().map(|url| url.as_ref().map(Url::as_str)).map_err(PageError::code);
        assert_eq!(found, expected, "{link}");
    }

    #[test]
    fn the_next_page_is_of_the_same_list() {
        let url = "https://a.example/v2/x/tags/list?last=b&n=2";
        check(r#"</v2/x/tags/list?last=b&n=2>; rel="next""#, Ok(Some(url)));
        check(r#"<?last=b&n=2>; title=x; rel=next"#, Ok(Some(url)));
        check(r#"</a>; rel="prev", <https://a.example/v2/x/tags/list?last=b&n=2>; rel="next""#, Ok(Some(url)));
        check(r#"</a>; rel="prev""#, Ok(None));
    }

    #[test]
    fn other_places_are_refused() {
        for link in [
            "<https://b.example/v2/x/tags/list?n=2>",
            "<http://a.example/v2/x/tags/list?n=2>",
            "<https://a.example:444/v2/x/tags/list?n=2>",
            "<https://u:p@a.example/v2/x/tags/list?n=2>",
            "<//b.example/v2/x/tags/list>",
            "</v2/y/tags/list?n=2>",
            "<../blobs/x>",
            "<file:///etc/passwd>",
        ] {
            check(&format!("{link}; rel=next"), Err("page-elsewhere"));
        }
        check("https://a.example; rel=next", Err("page-invalid"));
        check("<https://[>; rel=next", Err("page-invalid"));
    }
}
