//! What the operator's settings and secrets put into a request of the host's own.

use std::borrow::Cow;

use casemate_policy::egress::path_segment;
use casemate_signing::manifest::{Body, Exchange, Supplied, UpstreamName};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::secrets::Secrets;

/// The operator's settings of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Settings(Value);

impl Settings {
    /// From their JSON text.
    pub(crate) fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    /// What is supplied, if it is.
    pub(super) fn text<'a>(
        &'a self,
        supplied: &'a Supplied,
        upstream: &UpstreamName,
        secrets: &'a Secrets,
    ) -> Option<Cow<'a, str>> {
        match supplied {
            Supplied::Fixed(text) => Some(text.into()),
            Supplied::Secret(from) => secrets.find(upstream, &from.secret).map(Cow::from),
            Supplied::Setting(from) => self.0.get(&from.setting).and_then(Value::as_str).map(Cow::from),
        }
    }
}

/// Path and body of an exchange, by what stands in each place.
pub(super) fn written<'a>(
    exchange: &'a Exchange,
    text: impl Fn(&'a Supplied) -> Option<Cow<'a, str>>,
) -> Option<(Zeroizing<String>, Zeroizing<Vec<u8>>)> {
    let mut path = String::new();
    for segment in exchange.path.split('/').skip(1) {
        path.push('/');
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            // A segment of dots is another path.
            Some(name) => path.push_str(&path_segment(
                &text(exchange.parameters.get(name)?).filter(|it| !matches!(it.as_ref(), "" | "." | ".."))?,
            )),
            None => path.push_str(segment),
        }
    }
    let fields = exchange.body.fields().iter().map(|(name, supplied)| Some((name, text(supplied)?)));
    let fields: Vec<(&String, Cow<'_, str>)> = fields.collect::<Option<_>>()?;
    let body = match &exchange.body {
        Body::Form(_) => {
            let pairs = fields.iter().map(|(name, value)| format!("{}={}", path_segment(name), path_segment(value)));
            pairs.collect::<Vec<_>>().join("&").into_bytes()
        }
        Body::Json(_) => {
            let object: Map<String, Value> =
                fields.into_iter().map(|(name, value)| (name.clone(), value.as_ref().into())).collect();
            Value::Object(object).to_string().into_bytes()
        }
    };
    Some((Zeroizing::new(path), Zeroizing::new(body)))
}

/// The same as people and logs see it: no value of the operator's, and nothing of its length.
pub(super) fn shown(exchange: &Exchange) -> (String, Vec<u8>) {
    let path = exchange.path.split('/').skip(1).map(|segment| {
        let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        let supplied = name.and_then(|name| exchange.parameters.get(name));
        format!("/{}", supplied.map_or_else(|| segment.to_owned(), Supplied::shown))
    });
    let body: Map<String, Value> =
        exchange.body.fields().iter().map(|(name, supplied)| (name.clone(), supplied.shown().into())).collect();
    (path.collect(), Value::Object(body).to_string().into_bytes())
}
