//! Words outside of quotes: keywords, types before a string, names.

use casemate_siem::Refused;

use super::{Clause, Last, Opener, Writer, token::Token, words};

impl Writer<'_> {
    pub(super) fn word(&mut self, word: &str) -> Result<(), Refused> {
        if self.last == Last::Sign(".") || matches!(self.last, Last::Keyword("AS" | "COLLATE")) {
            return self.named(word);
        }
        if let Some(keyword) = self.in_context(word) {
            self.keyword(keyword);
            return Ok(());
        }
        if self.dropped(word) {
            self.next += 1;
            return Ok(());
        }
        if matches!(word, "left" | "right") && self.is_sign(1, "(") {
            return self.named(word);
        }
        if word == "cast" && self.is_sign(1, "(") {
            self.begins_value()?;
            self.next += 1;
            self.last = Last::Keyword("CAST");
            return Ok(());
        }
        if word == "table" && self.last == Last::Nothing {
            self.keyword("TABLE");
            self.clause(Clause::From);
            return Ok(());
        }
        if word == "as" && self.frame().opener == Opener::Cast {
            return self.cast();
        }
        if word == "for" && self.frame().opener == Opener::Function("substring") {
            self.keyword("FOR");
            return Ok(());
        }
        if let Some(keyword) = words::keyword(word) {
            return self.reserved(keyword);
        }
        if let Some(why) = words::refused(word) {
            return self.refuse(format!("`{}` is not taken: {why}", word.to_ascii_uppercase()));
        }
        if let Some((written, length)) = self.type_at(0)
            && let Some(Token::Text(text)) = self.token(length)
        {
            self.begins_value()?;
            let text = format!("'{text}'");
            self.next += length;
            self.put(text, Last::Value);
            self.written.extend(written);
            self.last = Last::Type;
            if matches!(self.token(0), Some(Token::Word(word)) if words::is_unit(word)) {
                return self.refuse("the unit of an interval stands in its quotes, as in `INTERVAL '1 day'`");
            }
            return Ok(());
        }
        self.named(word)
    }

    /// Words that are keywords by what stands around them, and names otherwise.
    fn in_context(&self, word: &str) -> Option<&'static str> {
        let after = |keywords: &[&str]| matches!(self.last, Last::Keyword(last) if keywords.contains(&last));
        let in_window = self.frame().opener == Opener::Window;
        let behind_call = self.last == Last::Sign(")");
        let is_name = |ahead| match self.token(ahead) {
            Some(Token::Word(word)) => words::keyword(word).is_none() && words::refused(word).is_none(),
            token => matches!(token, Some(Token::Quoted(_))),
        };
        let is_value = |ahead| matches!(self.token(ahead), Some(Token::Text(_) | Token::Number(_) | Token::Parameter(_)));
        match word {
            "by" if after(&["GROUP", "ORDER", "PARTITION"]) => Some("BY"),
            "partition" if in_window && self.is_word(1, &["by"]) => Some("PARTITION"),
            "over" if behind_call && (self.is_sign(1, "(") || is_name(1)) => Some("OVER"),
            "filter" if behind_call && self.is_sign(1, "(") => Some("FILTER"),
            "within" if behind_call && self.is_word(1, &["group"]) => Some("WITHIN"),
            "nulls" if self.is_word(1, &["first", "last"]) => Some("NULLS"),
            "first" if after(&["NULLS"]) => Some("FIRST"),
            "last" if after(&["NULLS"]) => Some("LAST"),
            "rows" if in_window && (self.is_word(1, &["between", "unbounded", "current"]) || is_value(1)) => Some("ROWS"),
            "range" if in_window && (self.is_word(1, &["between", "unbounded", "current", "interval"]) || is_value(1)) => {
                Some("RANGE")
            }
            "unbounded" if in_window && self.is_word(1, &["preceding", "following"]) => Some("UNBOUNDED"),
            "preceding" if in_window => Some("PRECEDING"),
            "following" if in_window => Some("FOLLOWING"),
            "current" if in_window && self.is_word(1, &["row"]) => Some("CURRENT"),
            "row" if after(&["CURRENT"]) || self.is_sign(1, "(") => Some("ROW"),
            "values" if self.is_sign(1, "(") => Some("VALUES"),
            "recursive" if after(&["WITH"]) => Some("RECURSIVE"),
            "ordinality" if after(&["WITH"]) => Some("ORDINALITY"),
            "at" if self.is_word(1, &["time"]) && self.is_word(2, &["zone"]) => Some("AT"),
            "time" if after(&["AT"]) => Some("TIME"),
            "zone" if after(&["TIME"]) => Some("ZONE"),
            "escape" if self.last == Last::Value && is_value(1) => Some("ESCAPE"),
            "sets" if after(&["GROUPING"]) => Some("SETS"),
            "grouping" if self.is_word(1, &["sets"]) || self.is_sign(1, "(") => Some("GROUPING"),
            "rollup" if self.is_sign(1, "(") => Some("ROLLUP"),
            "cube" if self.is_sign(1, "(") => Some("CUBE"),
            _ => None,
        }
    }

    /// Words that change nothing where they stand.
    fn dropped(&self, word: &str) -> bool {
        match word {
            "asc" => true,
            "inner" => self.is_word(1, &["join"]),
            "outer" => matches!(self.last, Last::Keyword("LEFT" | "RIGHT" | "FULL")),
            _ => false,
        }
    }

    fn keyword(&mut self, keyword: &'static str) {
        if keyword == "VALUES" {
            self.clause(Clause::Other);
        }
        self.put(keyword, Last::Keyword(keyword));
    }

    fn reserved(&mut self, keyword: &'static str) -> Result<(), Refused> {
        // `extract (year FROM …)`, `substring (… FROM …)` and `IS DISTINCT FROM` are no parts of a query.
        let is_clause = !matches!(self.frame().opener, Opener::Function(_));
        match keyword {
            "WITH" if self.is_word(1, &["ordinality"]) => {}
            "WITH" if self.frame().clause == Clause::None => self.clause(Clause::With),
            "SELECT" => self.clause(Clause::Select),
            "FROM" | "JOIN" if is_clause && self.last != Last::Keyword("DISTINCT") => self.clause(Clause::From),
            "ON" if self.last == Last::Keyword("DISTINCT") => {}
            "ON" | "USING" if self.frame().clause == Clause::From => self.clause(Clause::On),
            "WHERE" | "GROUP" | "HAVING" | "ORDER" | "LIMIT" | "OFFSET" if is_clause => self.clause(Clause::Other),
            "WINDOW" => self.clause(Clause::Window),
            "UNION" | "INTERSECT" | "EXCEPT" => {
                self.combines = true;
                self.clause(Clause::Other);
            }
            "ARRAY" if !self.is_sign(1, "[") && !self.is_sign(1, "(") => {
                return self.refuse("`ARRAY` stands before its brackets");
            }
            _ => {}
        }
        self.put(keyword, Last::Keyword(keyword));
        Ok(())
    }
}
