//! The tags of a repository, as far as they fit.

use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;

use crate::{
    authority::Authority,
    client::Client,
    manifest::{self, MAX_MANIFEST},
    page::Pages,
    reference::{Reference, Tag},
    request::RequestError,
    session::{Access, Session},
};

/// More versions than anything has.
const MAX_TAGS: usize = 10_000;
/// Registries give a hundred or a thousand at once.
const MAX_PAGES: usize = 100;
const WHAT: &str = "the list of tags";

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum TagsError {
    /// What stands in it is no tag.
    #[error("`{0}` lists a tag that is none")]
    Invalid(Authority),
    /// More than are read.
    #[error("`{0}` lists more than {MAX_TAGS} tags")]
    TooMany(Authority),
    /// The registry, or what it sent.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl TagsError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "tag-invalid",
            Self::TooMany(_) => "tags-many",
            Self::Request(error) => error.code(),
        }
    }
}

#[derive(Deserialize)]
struct Page {
    /// Some registries write `null` where there are none.
    tags: Option<Vec<String>>,
}

impl Client {
    /// The tags of the reference's repository, in the registry's order.
    pub async fn tags(&self, reference: &Reference) -> Result<Vec<Tag>, TagsError> {
        self.within(reference.registry(), tags(self, reference)).await
    }
}

async fn tags(client: &Client, reference: &Reference) -> Result<Vec<Tag>, TagsError> {
    let registry = reference.registry();
    let mut session = Session::new(client, registry, reference.repository(), Access::Pull);
    let mut tags = Vec::new();
    let mut pages = Pages::new(registry, session.url("tags/list?n=1000")?, MAX_PAGES);
    while let Some(url) = pages.next()? {
        let answer = session.get(url, HeaderMap::new()).await?.expect(WHAT, &[StatusCode::OK])?;
        pages.turn(answer.headers())?;
        let text = answer.at_most(WHAT, MAX_MANIFEST).await?;
        let page: Page = manifest::parse(&text, WHAT).map_err(RequestError::from)?;
        for tag in page.tags.unwrap_or_default() {
            tags.push(tag.parse().map_err(|_| TagsError::Invalid(registry.clone()))?);
        }
        if tags.len() > MAX_TAGS {
            return Err(TagsError::TooMany(registry.clone()));
        }
    }
    Ok(tags)
}
