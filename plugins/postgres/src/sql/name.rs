//! Names, and what is called by one.

use casemate_siem::Refused;

use super::{Clause, Last, WHOLE_ROWS, Writer, token::Token, words};

impl Writer<'_> {
    /// A name, or the function of that name.
    pub(super) fn named(&mut self, name: &str) -> Result<(), Refused> {
        if self.is_sign(1, "(") {
            return self.before_parenthesis(name);
        }
        if matches!(self.token(1), Some(Token::Text(_))) {
            return self.refuse(format!("`{}` is no type that a string can be read as", casemate_plugin::clip(name, 80)));
        }
        self.seen(name)?;
        self.put(format!("\"{name}\""), Last::Name);
        Ok(())
    }

    /// Take note of a name.
    fn seen(&mut self, name: &str) -> Result<(), Refused> {
        if self.withheld.covers(name) {
            let name = casemate_plugin::clip(name, 80);
            return self.refuse(format!("the operator keeps `{name}` back, so a statement may not name it; leave it out"));
        }
        let behind_dot = self.last == Last::Sign(".");
        let before_dot = self.is_sign(1, ".");
        let folded = name.to_ascii_lowercase();
        if behind_dot && let Some(why) = words::called_by_dot(&folded) {
            return self.refuse(why);
        }
        if behind_dot
            && !before_dot
            && !self.withheld.is_empty()
            && words::shows_rows(&folded)
            && self.frame().clause != Clause::From
        {
            return self.refuse(WHOLE_ROWS);
        }
        if before_dot && !behind_dot && (folded == "information_schema" || folded.starts_with("pg_")) {
            return self.refuse("the catalog is not read by a statement; `list_tables` and `describe_table` say what there is");
        }
        if before_dot {
            return Ok(());
        }
        // An alias. Behind a parenthesis may be one, and may be a value: `DISTINCT ON (id) o`.
        let defines = matches!(self.last, Last::Name | Last::Value | Last::Type | Last::Keyword("AS"));
        match self.frame().clause {
            Clause::From => {
                self.rows.insert(name.to_owned());
            }
            Clause::With => {}
            _ if behind_dot || defines => {}
            _ => self.alone.push((self.at(), name.to_owned())),
        }
        Ok(())
    }

    /// `lower (…)`, or an alias or a query of WITH with the names of its columns.
    fn before_parenthesis(&mut self, name: &str) -> Result<(), Refused> {
        if self.last == Last::Sign(".") {
            return self.refuse("a function is called by its name alone, without a schema");
        }
        let is_query =
            self.frame().clause == Clause::With && matches!(self.last, Last::Keyword("WITH" | "RECURSIVE") | Last::Sign(","));
        if self.last == Last::Keyword("AS") || is_query {
            return self.columns(name, is_query);
        }
        let Some(function) = words::function(name) else { return self.refuse(words::no_function(name)) };
        self.begins_value()?;
        self.put(function, Last::Function(function));
        Ok(())
    }

    /// `AS t (id, name)`, and `t (id, name) AS (SELECT` behind WITH.
    fn columns(&mut self, name: &str, is_query: bool) -> Result<(), Refused> {
        if !self.withheld.is_empty() {
            return self.refuse(
                "the operator keeps columns back, so columns are not renamed in a list; name each with `AS` where it is read",
            );
        }
        self.seen(name)?;
        self.put(format!("\"{name}\""), Last::Name);
        self.put("(", Last::Sign("("));
        loop {
            let name = match self.token(0) {
                Some(Token::Word(word)) if words::keyword(word).is_none() && words::refused(word).is_none() => word.as_str(),
                Some(Token::Quoted(name)) => name,
                _ => return self.refuse("behind an alias stand names of columns in parentheses, and nothing else"),
            };
            self.put(format!("\"{name}\""), Last::Name);
            let sign = if self.is_sign(0, ",") { "," } else { ")" };
            if !self.is_sign(0, sign) {
                return self.refuse("behind an alias stand names of columns in parentheses, without types");
            }
            self.put(sign, Last::Sign(sign));
            if sign == ")" {
                break;
            }
        }
        let reads = self.is_word(2, &["select"]) || self.is_word(2, &["values"]) && self.is_sign(3, "(");
        if is_query && !(self.is_word(0, &["as"]) && self.is_sign(1, "(") && reads) {
            return self.refuse("a query of WITH that names its columns goes on with `AS (SELECT` or `AS (VALUES (`");
        }
        Ok(())
    }
}
