//! An answer, read to its end or to its limit.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    StatusCode,
    header::{AsHeaderName, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap},
};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::{authority::Authority, manifest::Descriptor, request::RequestError};

/// An answer whose body nobody has read.
pub(crate) struct Answer {
    response: reqwest::Response,
    host: Authority,
    stall: Duration,
}

impl Answer {
    pub(crate) fn new(response: reqwest::Response, host: Authority, stall: Duration) -> Self {
        Self { response, host, stall }
    }

    pub(crate) fn host(&self) -> &Authority {
        &self.host
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub(crate) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The media type without its parameters.
    pub(crate) fn media_type(&self) -> &str {
        self.header(CONTENT_TYPE).and_then(|value| value.split(';').next()).unwrap_or_default().trim()
    }

    /// The answer, if its status is one of `expected`.
    pub(crate) fn expect(self, what: &'static str, expected: &[StatusCode]) -> Result<Self, RequestError> {
        let host = self.host.clone();
        match self.status() {
            status if expected.contains(&status) => Ok(self),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(RequestError::Denied { host, what }),
            StatusCode::NOT_FOUND => Err(RequestError::NotFound { host, what }),
            StatusCode::TOO_MANY_REQUESTS => Err(RequestError::Busy { host }),
            status if status.is_redirection() => Err(RequestError::Redirected { host, what }),
            status => Err(RequestError::Status { host, status: status.as_u16(), what }),
        }
    }

    /// The whole body, of at most `max` bytes.
    pub(crate) async fn at_most(mut self, what: &'static str, max: usize) -> Result<Vec<u8>, RequestError> {
        self.plain(what)?;
        let too_large = |host: &Authority| RequestError::TooLarge { host: host.clone(), what, max: max as u64 };
        if self.response.content_length().is_some_and(|length| length > max as u64) {
            return Err(too_large(&self.host));
        }
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > max {
                return Err(too_large(&self.host));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The whole body, which is what `descriptor` says: so many bytes, with that digest. The caller has capped the size.
    pub(crate) async fn exactly(
        mut self,
        what: &'static str,
        descriptor: &Descriptor,
        mut arrived: impl FnMut(u64),
    ) -> Result<Vec<u8>, RequestError> {
        self.plain(what)?;
        let announced = descriptor.size;
        let length = |host: &Authority, sent: u64| RequestError::Length { host: host.clone(), what, announced, sent };
        if let Some(sent) = self.response.content_length().filter(|sent| *sent != announced) {
            return Err(length(&self.host, sent));
        }
        let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
        let mut hash = Sha256::new();
        while let Some(chunk) = self.chunk().await? {
            let sent = (body.len() + chunk.len()) as u64;
            if sent > announced {
                return Err(length(&self.host, sent));
            }
            hash.update(&chunk);
            body.extend_from_slice(&chunk);
            arrived(sent);
        }
        if (body.len() as u64) < announced {
            return Err(length(&self.host, body.len() as u64));
        }
        if hash.finalize().as_slice() != descriptor.digest.as_bytes() {
            return Err(RequestError::Digest { host: self.host, what });
        }
        Ok(body)
    }

    /// None was asked for; what would come out of one is not what a descriptor measures.
    fn plain(&self, what: &'static str) -> Result<(), RequestError> {
        let encoded = self.headers().get_all(CONTENT_ENCODING).iter().any(|value| value != "identity");
        if encoded { Err(RequestError::Encoded { host: self.host.clone(), what }) } else { Ok(()) }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        match timeout(self.stall, self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| RequestError::of(error, &self.host)),
            Err(_) => Err(RequestError::Stalled { host: self.host.clone(), after: self.stall }),
        }
    }
}
