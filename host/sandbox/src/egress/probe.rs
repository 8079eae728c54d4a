//! Whether a credential works: the one request that the manifest names as harmless, or the token exchange.

use std::sync::{Mutex, PoisonError};

use casemate_signing::manifest::{Credential, UpstreamName};

use super::{
    token::Witness,
    transport::{Leaving, SendError, Upstreams},
};
use crate::call::{Exchange, ExchangeStatus};

/// What was sent, and what came of it. Nothing of an answer but its status.
#[derive(Debug)]
pub struct Probed {
    /// Every request, in order, token exchanges included.
    pub exchanges: Vec<Exchange>,
    /// Why there is no status, for the operator.
    pub fault: Option<String>,
}

impl Probed {
    /// What the upstream answered to what was asked first; a token is got for that.
    pub fn status(&self) -> Option<u16> {
        match self.exchanges.first()?.status {
            ExchangeStatus::Answered { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Whether the upstream took the credential.
    pub fn is_taken(&self) -> bool {
        self.fault.is_none() && self.status().is_some_and(|status| (200..400).contains(&status))
    }
}

#[derive(Default)]
struct Journal(Mutex<Vec<Exchange>>);

impl Witness for Journal {
    fn begin(&self, exchange: Exchange) -> Option<usize> {
        let mut exchanges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        exchanges.push(exchange);
        Some(exchanges.len() - 1)
    }

    fn end(&self, at: usize, status: ExchangeStatus) {
        if let Some(exchange) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
            exchange.settle(status);
        }
    }
}

impl Upstreams {
    pub(crate) async fn probe(&self, upstream: &UpstreamName, cap: usize) -> Option<Probed> {
        let journal = Journal::default();
        let result = match (self.gate.probe(upstream), self.gate.credential(upstream)) {
            (Some(request), _) => {
                let at = journal.begin(Exchange::of(&request))?;
                self.send(&request, cap, &Leaving::default(), &journal).await.map(|answer| {
                    let (bytes, address) = (answer.body.len(), answer.address);
                    journal.end(at, ExchangeStatus::Answered { status: answer.status, bytes, address });
                })
            }
            (None, Some(Credential::Exchange(credential))) => self.token(upstream, credential, None, &journal).await.map(drop),
            _ => return None,
        };
        let fault = result.err().map(|error| match error {
            SendError::Prohibited(prohibited) => prohibited.to_string(),
            SendError::Secret(secret) => secret.to_string(),
            SendError::Token(reason) | SendError::Connect(reason) | SendError::Broken(reason) => reason,
            SendError::TooLarge => format!("the answer is larger than {cap} bytes"),
        });
        Some(Probed { exchanges: journal.0.into_inner().unwrap_or_else(PoisonError::into_inner), fault })
    }
}
