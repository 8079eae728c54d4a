//! Operators, parentheses and types.

use casemate_siem::Refused;

use super::{
    Clause, Frame, Last, Opener, WHOLE_ROWS, Writer,
    token::{BOUNDS, Token},
    words,
};

impl Writer<'_> {
    pub(super) fn sign(&mut self, sign: &'static str) -> Result<(), Refused> {
        match sign {
            "(" => self.open(),
            ")" => self.close(),
            "::" => {
                self.next += 1;
                self.cast_to()
            }
            "." => {
                let follows = matches!(self.token(1), Some(Token::Word(_) | Token::Quoted(_))) || self.is_sign(1, "*");
                if self.last != Last::Name || !follows {
                    return self.refuse("a dot stands between two names");
                }
                self.plain(sign)
            }
            "," => {
                // Behind what a table is joined on stands another table.
                if self.frame().clause == Clause::On {
                    self.clause(Clause::From);
                }
                self.plain(sign)
            }
            "*" => self.star(),
            _ => self.plain(sign),
        }
    }

    fn plain(&mut self, sign: &'static str) -> Result<(), Refused> {
        self.put(sign, Last::Sign(sign));
        Ok(())
    }

    fn open(&mut self) -> Result<(), Refused> {
        if self.frames.len() > BOUNDS.depth {
            return self.refuse(format!("parentheses are at most {} deep", BOUNDS.depth));
        }
        let outside = self.frame().clause;
        let opener = match self.last {
            Last::Function(function) => Opener::Function(function),
            Last::Keyword("CAST") => Opener::Cast,
            Last::Keyword("OVER") => Opener::Window,
            Last::Keyword("AS") if outside == Clause::Window => Opener::Window,
            Last::Keyword("AS") if outside == Clause::With => {
                if matches!(self.token(1), Some(Token::Word(word)) if words::writes(word)) {
                    return self.refuse("this writes: a query of WITH reads, as the statement does");
                }
                Opener::Group
            }
            Last::Keyword("AS") => return self.refuse("behind `AS` stands a name, and types of columns are not given there"),
            _ => Opener::Group,
        };
        self.begins_value()?;
        // Tables may be joined in parentheses.
        let joined = outside == Clause::From && opener == Opener::Group && !self.is_word(1, &["select", "with", "values"]);
        let clause = if joined { Clause::From } else { Clause::None };
        self.frames.push(Frame { opener, clause });
        self.plain("(")
    }

    fn close(&mut self) -> Result<(), Refused> {
        if self.frames.len() < 2 {
            return self.refuse("this parenthesis was not opened");
        }
        if self.frame().opener == Opener::Cast {
            return self.refuse("`CAST` is written `CAST(… AS type)`");
        }
        self.frames.pop();
        self.plain(")")
    }

    /// `AS type)`, where a cast ends.
    pub(super) fn cast(&mut self) -> Result<(), Refused> {
        self.next += 1;
        let Some((written, length)) = self.type_at(0) else { return self.refuse(NO_TYPE) };
        if !self.is_sign(length, ")") {
            return self.refuse(NO_TYPE);
        }
        self.next += length;
        self.frames.pop();
        self.plain(")")?;
        self.written.extend(written);
        self.last = Last::Type;
        Ok(())
    }

    /// The type behind `::`.
    fn cast_to(&mut self) -> Result<(), Refused> {
        let Some((written, length)) = self.type_at(0) else { return self.refuse(NO_TYPE) };
        self.next += length;
        self.written.extend(written);
        self.last = Last::Type;
        Ok(())
    }

    /// The type that stands so many tokens ahead: as it is written, and how many tokens it is.
    pub(super) fn type_at(&self, ahead: usize) -> Option<(Vec<String>, usize)> {
        let Some(Token::Word(word)) = self.token(ahead) else { return None };
        let (mut name, mut length) = match word.as_str() {
            "double" if self.is_word(ahead + 1, &["precision"]) => ("float8", 2),
            "character" if self.is_word(ahead + 1, &["varying"]) => ("varchar", 2),
            word => (words::type_name(word)?, 1),
        };
        let mut sizes = Vec::new();
        if self.is_sign(ahead + length, "(") {
            let Some(Token::Number(first)) = self.token(ahead + length + 1) else { return None };
            sizes.extend(["(".to_owned(), first.clone()]);
            length += 2;
            if let (true, Some(Token::Number(second))) = (self.is_sign(ahead + length, ","), self.token(ahead + length + 1)) {
                sizes.extend([",".to_owned(), second.clone()]);
                length += 2;
            }
            if !self.is_sign(ahead + length, ")") {
                return None;
            }
            sizes.push(")".to_owned());
            length += 1;
        }
        let is_zoned = matches!(name, "time" | "timestamp")
            && self.is_word(ahead + length, &["with", "without"])
            && self.is_word(ahead + length + 1, &["time"])
            && self.is_word(ahead + length + 2, &["zone"]);
        if is_zoned {
            name = match name {
                "time" if self.is_word(ahead + length, &["with"]) => "timetz",
                "timestamp" if self.is_word(ahead + length, &["with"]) => "timestamptz",
                name => name,
            };
            length += 3;
        }
        let mut written = vec![format!("::{name}")];
        written.extend(sizes);
        if self.is_sign(ahead + length, "[") && self.is_sign(ahead + length + 1, "]") {
            written.extend(["[".to_owned(), "]".to_owned()]);
            length += 2;
        }
        Some((written, length))
    }

    /// All columns, or a multiplication.
    fn star(&mut self) -> Result<(), Refused> {
        let is_all = matches!(self.last, Last::Sign("." | "," | "(") | Last::Keyword("SELECT" | "DISTINCT" | "ALL"));
        let is_counted =
            matches!(self.frame().opener, Opener::Function(_)) && self.last == Last::Sign("(") && self.is_sign(1, ")");
        if is_all && !is_counted && !self.withheld.is_empty() {
            let ends = self.token(1).is_none() || self.is_sign(1, ",") || self.is_word(1, &["from"]);
            if self.frames.len() > 1 || self.frame().clause != Clause::Select || !ends {
                return self.refuse(WHOLE_ROWS);
            }
            self.star.get_or_insert(self.at());
        }
        self.plain("*")
    }
}

/// What a value may be cast to.
const NO_TYPE: &str = "a value is cast to a type that is listed here: bool, int2, int4, int8, numeric, float4, float8, text, varchar, bytea, \
                       date, time, timestamp, timestamptz, interval, uuid, json, jsonb, inet, cidr, macaddr, and arrays of these";
