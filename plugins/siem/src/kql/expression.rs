//! The grammar of values and conditions.

use super::{
    parser::Parser,
    token::Kind,
    tree::{Expression, Json, Literal},
    words::{self, Function},
};
use crate::Refused;

/// Operators whose left side may be `*`, any column.
const OF_ANY: [&str; 6] = ["has", "has_cs", "contains", "contains_cs", "startswith", "endswith"];
/// Aggregates that take `*` for the other columns of their row.
const OF_ROW: [&str; 3] = ["arg_max", "arg_min", "take_any"];

type Read<'t> = fn(&mut Parser<'t>) -> Result<Expression, Refused>;

impl<'t> Parser<'t> {
    /// `a == 1 or b has "x" and c`
    pub(super) fn expression(&mut self) -> Result<Expression, Refused> {
        if self.depth >= self.bounds.depth {
            return self.refuse(format!("parentheses stand at most {} deep", self.bounds.depth));
        }
        self.depth += 1;
        let read = self.disjunction();
        self.depth -= 1;
        read
    }

    fn disjunction(&mut self) -> Result<Expression, Refused> {
        self.chain(&["or"], Self::conjunction)
    }

    fn conjunction(&mut self) -> Result<Expression, Refused> {
        self.chain(&["and"], Self::comparison)
    }

    fn sum(&mut self) -> Result<Expression, Refused> {
        self.chain(&["+", "-"], Self::product)
    }

    fn product(&mut self) -> Result<Expression, Refused> {
        self.chain(&["*", "/", "%"], Self::unary)
    }

    /// Operators of one rank.
    fn chain(&mut self, operators: &[&'static str], one: Read<'t>) -> Result<Expression, Refused> {
        let first = one(self)?;
        let mut rest = Vec::new();
        while let Some(operator) = self.operator_of(operators) {
            rest.push((operator, one(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Chain(Box::new(first), rest) })
    }

    /// The operator that is next, if it is one of these.
    fn operator_of(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let word = match self.peek()? {
            Kind::Name(word) => *word,
            Kind::Sign(sign) => sign,
            _ => return None,
        };
        let operator = operators.iter().find(|operator| **operator == word)?;
        self.advance();
        Some(operator)
    }

    fn comparison(&mut self) -> Result<Expression, Refused> {
        if matches!(self.peek(), Some(Kind::Sign("*")))
            && matches!(self.peek_second(), Some(Kind::Name(operator)) if OF_ANY.contains(operator))
        {
            self.advance();
            return self.compared(Expression::Every);
        }
        let left = self.sum()?;
        self.compared(left)
    }

    fn compared(&mut self, left: Expression) -> Result<Expression, Refused> {
        let left = Box::new(left);
        if let Some(operator) = self.operator_of(&words::LISTS) {
            return Ok(Expression::List(left, operator, self.literals(operator)?));
        }
        if let Some(operator) = self.operator_of(&["between", "!between"]) {
            self.expect("(", "`(` and two values with `..` between them follow")?;
            let from = self.sum()?;
            self.expect("..", "`..` stands between the two values")?;
            let to = self.sum()?;
            self.expect(")", "`)` follows the second value")?;
            return Ok(Expression::Between(left, operator, Box::new(from), Box::new(to)));
        }
        if self.name_is_next() == Some("matches") {
            self.advance();
            self.word("regex", "`regex` follows `matches`")?;
            return Ok(Expression::Chain(left, vec![("matches regex", self.sum()?)]));
        }
        match self.operator_of(&words::COMPARISONS) {
            Some(operator) => Ok(Expression::Chain(left, vec![(operator, self.sum()?)])),
            None => Ok(*left),
        }
    }

    /// What `in` looks in. It takes a table, too, by no more than its name: so there is nothing in it but literals.
    fn literals(&mut self, operator: &str) -> Result<Vec<Literal>, Refused> {
        self.expect("(", "a list in parentheses follows")?;
        let list = self.list(|parser| match parser.literal()? {
            Some(literal) => Ok(literal),
            None => {
                let why = format!("`{operator}` reads other tables by their names, so it may only list texts and numbers here");
                parser.refuse_next(&why)
            }
        })?;
        self.expect(")", "`,` or `)` follows; only texts and numbers are listed here")?;
        Ok(list)
    }

    fn unary(&mut self) -> Result<Expression, Refused> {
        if self.eat("-") {
            return Ok(Expression::Negative(Box::new(self.postfix()?)));
        }
        self.postfix()
    }

    /// `a.b["c"][0]`
    fn postfix(&mut self) -> Result<Expression, Refused> {
        let mut value = self.primary()?;
        let mut steps = 0;
        loop {
            if self.eat(".") {
                value = Expression::Member(Box::new(value), self.member()?);
            } else if self.eat("[") {
                value = Expression::Element(Box::new(value), self.key()?);
                self.expect("]", "`]` follows; only a text or a number stands in brackets")?;
            } else {
                return Ok(value);
            }
            steps += 1;
            if steps > self.bounds.depth {
                return self.refuse(format!("a value is looked for at most {} deep", self.bounds.depth));
            }
        }
    }

    fn key(&mut self) -> Result<Literal, Refused> {
        let negative = self.eat("-");
        match self.peek() {
            Some(Kind::Text(text)) if !negative => {
                self.may_name(text)?;
                self.advance();
                Ok(Literal::Text(text.clone()))
            }
            Some(Kind::Number(number)) => {
                self.advance();
                Ok(Literal::Number(if negative { format!("-{number}") } else { (*number).to_owned() }))
            }
            _ => self.refuse("a text or a number stands in brackets"),
        }
    }

    fn primary(&mut self) -> Result<Expression, Refused> {
        if let Some(literal) = self.literal()? {
            return Ok(Expression::Literal(literal));
        }
        if self.eat("(") {
            let inside = self.expression()?;
            self.expect(")", "`)` or an operator follows; there is no query inside of a query")?;
            return Ok(Expression::Group(Box::new(inside)));
        }
        match self.peek() {
            Some(Kind::Name(name)) if matches!(self.peek_second(), Some(Kind::Sign("("))) => self.call(name),
            Some(Kind::Name("typeof")) => self.refuse("`typeof` has a type in parentheses"),
            Some(Kind::Sign("{")) => self.refuse("`{` begins a function; leave it out"),
            Some(Kind::Sign("*")) => {
                self.refuse("`*` stands for a column only before `has`, `contains`, `startswith` and `endswith`")
            }
            Some(Kind::Sign("|")) => self.refuse("a value stands here; there is no query inside of a query"),
            None => self.refuse("the query breaks off where a value is due"),
            Some(_) => self.identifier().map(Expression::Column),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expression, Refused> {
        let place = self.place();
        match words::function(name) {
            Some(Function::Scalar) => {}
            Some(Function::Aggregate) if self.aggregates => {}
            Some(Function::Aggregate) => {
                return self.refuse(format!("`{name}` computes from many rows; it stands in `summarize`"));
            }
            None if name == "typeof" => {
                self.advance();
                return self.type_in_parentheses().map(Expression::Type);
            }
            None => {
                let why = format!("`{name}` is none of the functions that a search may call");
                return self.refuse_next(&why);
            }
        }
        self.advance();
        self.advance();
        if self.eat(")") {
            return Ok(Expression::Call(name.to_owned(), Vec::new()));
        }
        if let ("ago", Some(Kind::Span(_, seconds))) = (name, self.peek())
            && self.reaches_back.is_none_or(|(_, furthest)| furthest < *seconds)
        {
            self.reaches_back = Some((place, *seconds));
        }
        if let ("column_ifexists", Some(Kind::Text(column))) = (name, self.peek()) {
            self.may_name(column)?;
        }
        let of_row = OF_ROW.contains(&name);
        let arguments = self.list(|parser| {
            let star = of_row && matches!(parser.peek(), Some(Kind::Sign("*")));
            if star && matches!(parser.peek_second(), Some(Kind::Sign(")" | ","))) {
                parser.advance();
                return Ok(Expression::Every);
            }
            parser.expression()
        })?;
        self.expect(")", "`,` or `)` follows an argument; there is no query inside of a query")?;
        if name == "column_ifexists" && !matches!(arguments.first(), Some(Expression::Literal(Literal::Text(_)))) {
            return Err(Refused::new(place, "`column_ifexists` names its column by a text"));
        }
        Ok(Expression::Call(name.to_owned(), arguments))
    }

    /// A value that is written out, if there is one.
    fn literal(&mut self) -> Result<Option<Literal>, Refused> {
        let literal = match self.peek() {
            Some(Kind::Text(text)) => Literal::Text(text.clone()),
            Some(Kind::Number(number)) => Literal::Number((*number).to_owned()),
            Some(Kind::Span(span, _)) => Literal::Number((*span).to_owned()),
            Some(Kind::Typed(kind, content)) => Literal::Typed(kind, (*content).to_owned()),
            Some(Kind::Name(name)) => match self.peek_second() {
                Some(Kind::Sign("(")) => return self.constructed(name),
                _ => match words::constant(name) {
                    Some(word) => Literal::Word(word),
                    None => return Ok(None),
                },
            },
            Some(Kind::Sign("-")) => match self.peek_second() {
                Some(Kind::Number(written) | Kind::Span(written, _)) => {
                    self.advance();
                    Literal::Number(format!("-{written}"))
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(literal))
    }

    /// `dynamic([…])`, `long(1)`
    fn constructed(&mut self, name: &str) -> Result<Option<Literal>, Refused> {
        let cast = words::CASTS.into_iter().find(|cast| *cast == name);
        if cast.is_none() && name != "dynamic" {
            return Ok(None);
        }
        self.advance();
        self.advance();
        let literal = match cast {
            None => Literal::Dynamic(Box::new(self.json()?)),
            Some(cast) => match self.literal()? {
                Some(Literal::Number(number)) => Literal::Typed(cast, number),
                Some(Literal::Word(word)) => Literal::Typed(cast, word.to_owned()),
                _ => return self.refuse(format!("`{cast}(…)` holds one number; `to{cast}(…)` reads any value")),
            },
        };
        self.expect(")", "`)` ends the literal")?;
        Ok(Some(literal))
    }

    fn json(&mut self) -> Result<Json, Refused> {
        if self.depth >= self.bounds.depth {
            return self.refuse(format!("a literal is at most {} deep", self.bounds.depth));
        }
        self.depth += 1;
        let read = self.json_inside();
        self.depth -= 1;
        read
    }

    fn json_inside(&mut self) -> Result<Json, Refused> {
        if self.eat("[") {
            if self.eat("]") {
                return Ok(Json::Array(Vec::new()));
            }
            let values = self.list(Self::json)?;
            self.expect("]", "`,` or `]` follows")?;
            return Ok(Json::Array(values));
        }
        if self.eat("{") {
            if self.eat("}") {
                return Ok(Json::Object(Vec::new()));
            }
            let members = self.list(|parser| {
                let Some(Kind::Text(name)) = parser.peek() else { return parser.refuse("a member's name in quotes stands here") };
                parser.advance();
                parser.expect(":", "`:` follows a member's name")?;
                Ok((name.clone(), parser.json()?))
            })?;
            self.expect("}", "`,` or `}` follows")?;
            return Ok(Json::Object(members));
        }
        match self.literal()? {
            Some(literal) => Ok(Json::Value(literal)),
            None => self.refuse("a literal such as [\"a\", 1] stands in `dynamic(…)`"),
        }
    }
}
