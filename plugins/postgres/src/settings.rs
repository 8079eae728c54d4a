//! What the operator set.

use casemate_plugin::{Context, Failure};
use serde::Deserialize;

use crate::withheld::Withheld;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    withhold: Vec<String>,
}

/// The columns that are kept back.
pub(crate) fn withheld(cx: &Context) -> Result<Withheld, Failure> {
    let Settings { withhold } = cx.settings()?;
    Ok(Withheld::new(withhold))
}
