//! What the operator looks for in results.

use std::{collections::BTreeMap, sync::Arc};

use casemate_policy::output::Pattern;
use toml::Spanned;

use super::{Resolver, file};

impl Resolver<'_> {
    pub(super) fn redactions(&mut self, file: BTreeMap<Spanned<String>, file::Redact>) -> Vec<Arc<Pattern>> {
        let mut patterns = Vec::new();
        for (name, redact) in file {
            // An empty list would mean every tool, which is not what it says.
            for list in [&redact.tools, &redact.except].into_iter().flatten().filter(|list| list.get_ref().is_empty()) {
                self.faults.push(format!(
                    "{}: an empty list covers no tool\nhelp: leave it out, or name tools",
                    self.place(list.span())
                ));
            }
            let (tools, except) = (self.patterns(redact.tools), self.patterns(redact.except));
            let Some(name) = self.form(&name) else { continue };
            match Pattern::new(name, redact.pattern.get_ref(), redact.enforce, tools, except) {
                Ok(pattern) => patterns.push(Arc::new(pattern)),
                Err(error) => self.faults.push(format!(
                    "{}: {error}\nhelp: patterns are those of https://docs.rs/regex, without look-around and back references",
                    self.place(redact.pattern.span())
                )),
            }
        }
        patterns
    }
}
