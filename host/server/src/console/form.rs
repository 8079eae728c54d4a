//! Fields of a form or a query, as they were sent: nothing in them is believed.

use url::form_urlencoded;

/// Fields of one form; more of them are not read.
const MAX_FIELDS: usize = 32;

/// Names and values, in order.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// What a query or a form's body says.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).take(MAX_FIELDS).map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// A field that is there once and says something, without the blanks around it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.trim());
        let value = found.next()?;
        (found.next().is_none() && !value.is_empty()).then_some(value)
    }

    /// The same fields with one of them set, or left out, as a query.
    pub(super) fn with(&self, name: &str, value: Option<&str>) -> String {
        let kept = self.0.iter().filter(|(known, value)| known != name && !value.trim().is_empty());
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept);
        if let Some(value) = value {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn a_field_that_is_there_twice_says_nothing() {
        let fields = Fields::parse(b"a=1&b=2&a=3&c=+&d=x%26y");
        assert_eq!((fields.get("a"), fields.get("b"), fields.get("c"), fields.get("d")), (None, Some("2"), None, Some("x&y")));
    }

    #[test]
    fn a_query_is_changed_in_one_field() {
        let fields = Fields::parse(b"tool=eye_*&before=1&outcome=");
        assert_eq!(fields.with("before", Some("2 3")), "tool=eye_*&before=2+3");
        assert_eq!(fields.with("before", None), "tool=eye_*");
    }
}
