//! The one credential that a fake takes.

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

/// A credential. A test sets it with the order `{"key": "…"}`.
#[derive(Debug)]
pub struct Key(Mutex<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    key: String,
}

impl Key {
    /// A credential that is no one's.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Key(Mutex::new(key.to_owned()))
    }

    /// What it is.
    #[must_use]
    pub fn value(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this is it.
    #[must_use]
    pub fn is(&self, presented: Option<&str>) -> bool {
        presented == Some(self.value().as_str())
    }

    /// Takes the order that sets it.
    ///
    /// # Errors
    /// Why the order is another.
    pub fn tell(&self, order: &[u8]) -> Result<(), String> {
        let Order { key } = serde_json::from_slice(order).map_err(|error| error.to_string())?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }
}
