//! The names in a policy: everything it names is there, in at least one call that it is about.
//!
//! Cedar's validator checks types. It does not know which tools, principals, roles and labels exist, and it says nothing of
//! `context has typo`, which is false for ever. A `forbid` with such a typo never forbids: so it does not load.

use std::collections::BTreeSet;

use casemate_signing::manifest::{pointer::Pointer, schema::has_place};
use cedar_policy::{
    Policy,
    pst::{
        ActionConstraint, BinaryOp, Clause, EntityOrSlot, EntityUID, Expr, Literal, PstConstructionError, ResourceConstraint,
        Template, Var,
    },
};

use super::{
    fault::{RulesFault, nearest},
    kind::{Kind, Record, Words},
    schema::{EFFECTS, Shape, Shapes},
    source::{Token, tokens},
};
use crate::ServedName;

/// A fault, with its first byte in the policy's own text.
pub(super) type Found = (usize, RulesFault);

/// A policy, held against what exists.
pub(super) struct Checked {
    /// The tools whose calls meet what stands in its head.
    pub(super) about: BTreeSet<ServedName>,
    /// Whether no tool's action is one of those that its head names: a policy about `Action::"destructive"` waits for a
    /// tool that is.
    pub(super) is_awaited: bool,
    /// What it names and is not there.
    pub(super) found: Vec<Found>,
}

/// Check one policy.
pub(super) fn check(policy: &Policy, text: &str, shapes: &Shapes) -> Result<Checked, PstConstructionError> {
    let policy = policy.to_pst()?;
    let body = policy.body();
    let acting: Vec<(&ServedName, &Shape)> =
        shapes.tools.iter().filter(|(name, shape)| acts(&body.action, name.as_str(), shape)).collect();
    let is_awaited = acting.is_empty();
    let about = acting.into_iter().filter(|(name, shape)| meets(&body.resource, name.as_str(), shape)).collect();
    let mut walk = Walk { shapes, about, text, found: Vec::new() };
    walk.scope(body);
    for clause in body.clauses() {
        let (Clause::When(condition) | Clause::Unless(condition)) = clause;
        walk.condition(condition);
    }
    walk.found.sort_by_key(|(at, _)| *at);
    walk.found.dedup();
    let about = walk.about.iter().map(|(name, _)| (*name).clone()).collect();
    Ok(Checked { about, is_awaited, found: walk.found })
}

/// Whether a call of this tool is an action that a policy's head names.
fn acts(action: &ActionConstraint, name: &str, shape: &Shape) -> bool {
    match action {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => *uid.eid == *name,
        ActionConstraint::In(uids) => uids.iter().any(|uid| *uid.eid == *name || shape.groups().any(|group| *uid.eid == *group)),
    }
}

/// Whether the tool is a resource that a policy's head names.
fn meets(resource: &ResourceConstraint, name: &str, shape: &Shape) -> bool {
    match resource {
        ResourceConstraint::Eq(EntityOrSlot::Entity(uid)) => *uid.eid == *name,
        ResourceConstraint::In(EntityOrSlot::Entity(uid)) | ResourceConstraint::IsIn(_, EntityOrSlot::Entity(uid)) => {
            *uid.eid == *name || *uid.eid == *shape.plugin
        }
        _ => true,
    }
}

/// Where a named entity stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// Where it would have to be looked into.
    Alone,
    /// Beside `==`, or in a set.
    Compared,
    /// Behind `in`.
    Holds,
}

struct Walk<'a> {
    shapes: &'a Shapes,
    /// The tools whose calls the policy is about.
    about: Vec<(&'a ServedName, &'a Shape)>,
    text: &'a str,
    found: Vec<Found>,
}

impl<'a> Walk<'a> {
    fn scope(&mut self, policy: &Template) {
        use cedar_policy::pst::PrincipalConstraint as P;
        if let P::Eq(EntityOrSlot::Entity(uid)) | P::In(EntityOrSlot::Entity(uid)) | P::IsIn(_, EntityOrSlot::Entity(uid)) =
            &policy.principal
        {
            self.entity(uid, Stand::Holds);
        }
        match &policy.action {
            ActionConstraint::Any => {}
            ActionConstraint::Eq(uid) => self.entity(uid, Stand::Compared),
            ActionConstraint::In(uids) => uids.iter().for_each(|uid| self.entity(uid, Stand::Holds)),
        }
        use ResourceConstraint as R;
        if let R::Eq(EntityOrSlot::Entity(uid)) | R::In(EntityOrSlot::Entity(uid)) | R::IsIn(_, EntityOrSlot::Entity(uid)) =
            &policy.resource
        {
            self.entity(uid, Stand::Holds);
        }
    }

    /// Every expression of a condition, each with where it stands.
    fn condition(&mut self, condition: &Expr) {
        use Stand::{Alone, Compared, Holds};
        let mut stack = vec![(condition, Alone)];
        while let Some((expression, stand)) = stack.pop() {
            match expression {
                Expr::Literal(Literal::EntityUID(uid)) => self.entity(uid, stand),
                Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => stack.push((expr, Alone)),
                Expr::BinaryOp { op, left, right } => {
                    self.compare(*op, left, right);
                    let (on_left, on_right) = match op {
                        BinaryOp::Eq | BinaryOp::NotEq => (Compared, Compared),
                        BinaryOp::Contains | BinaryOp::ContainsAll | BinaryOp::ContainsAny => (Alone, Compared),
                        BinaryOp::In => (Alone, Holds),
                        _ => (Alone, Alone),
                    };
                    stack.push((left, on_left));
                    stack.push((right, on_right));
                }
                Expr::GetAttr { expr, attr } => {
                    self.attributes(expr, std::iter::once(attr.as_str()));
                    stack.push((expr, Alone));
                }
                Expr::HasAttr { expr, attrs } => {
                    self.attributes(expr, attrs.iter().map(|attr| attr.as_str()));
                    stack.push((expr, Alone));
                }
                Expr::Is { expr, in_expr, .. } => {
                    stack.push((expr, Alone));
                    stack.extend(in_expr.iter().map(|expr| (&**expr, Holds)));
                }
                Expr::IfThenElse { cond, then_expr, else_expr } => {
                    stack.extend([cond, then_expr, else_expr].map(|expr| (&**expr, Alone)));
                }
                // Nothing can be taken out of a set.
                Expr::Set(items) => {
                    let stand = if stand == Holds { Holds } else { Compared };
                    stack.extend(items.iter().map(|expr| (&**expr, stand)));
                }
                Expr::Record(items) => stack.extend(items.values().map(|expr| (&**expr, Alone))),
                _ => {}
            }
        }
    }

    /// What each tool's calls have at a path; only where it is one: `context.a.b`.
    fn kinds(&self, path: &Expr) -> Vec<(&'a Shape, At<'a>)> {
        let shapes = self.shapes;
        self.about.iter().filter_map(|(_, shape)| Some((*shape, at(path, shapes, shape)?))).collect()
    }

    /// That a chain of attributes is there in at least one tool's calls.
    fn attributes<'n>(&mut self, of: &Expr, names: impl Iterator<Item = &'n str>) {
        let mut records: Vec<&Record> = self.kinds(of).into_iter().filter_map(|(_, kind)| kind.record()).collect();
        let mut path = of.to_string();
        for name in names {
            if records.is_empty() {
                return;
            }
            let fields: Vec<&Kind> = records.iter().filter_map(|record| record.0.get(name)).map(|field| &field.kind).collect();
            if fields.is_empty() {
                let near = nearest(name, records.iter().flat_map(|record| record.0.keys()).map(String::as_str));
                self.find(name, RulesFault::NoAttribute { of: path, name: name.to_owned(), near });
                return;
            }
            path = format!("{path}.{name}");
            records = fields.into_iter().filter_map(|kind| At::Kind(kind).record()).collect();
        }
    }

    /// Texts that something is compared with: at least one tool's calls may have each of them there.
    fn compare(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        let compares = [BinaryOp::Eq, BinaryOp::NotEq, BinaryOp::Contains, BinaryOp::ContainsAll, BinaryOp::ContainsAny];
        if compares.contains(&op) {
            for (path, other) in [(left, right), (right, left)] {
                for word in texts(other) {
                    self.word(path, word);
                }
            }
        }
    }

    fn word(&mut self, path: &Expr, word: &str) {
        let kinds: Vec<(&Shape, &Words)> =
            self.kinds(path).into_iter().filter_map(|(shape, kind)| Some((shape, kind.words()?))).collect();
        if kinds.is_empty() || kinds.iter().any(|(shape, words)| may_be(word, words, shape)) {
            return;
        }
        let all = kinds.iter().flat_map(|(_, words)| match words {
            Words::Of(words) => words.iter().map(String::as_str).collect(),
            Words::Any | Words::Pointer => Vec::new(),
        });
        let near = nearest(word, all);
        self.find(word, RulesFault::NoWord { of: path.to_string(), word: word.to_owned(), near });
    }

    /// That a named entity exists. Types that there are not are the validator's to tell.
    fn entity(&mut self, uid: &EntityUID, stand: Stand) {
        let name: &str = &uid.eid;
        let shapes = self.shapes;
        if stand == Stand::Alone {
            return self.find(name, RulesFault::Named { name: uid.to_string() });
        }
        let tools = || shapes.tools.keys().map(ServedName::as_str);
        let plugins = || shapes.tools.values().map(|shape| shape.plugin.as_str());
        let (what, help, names): (_, _, Vec<&str>) = match uid.ty.to_string().as_str() {
            "Tool" => ("tool", "`casemate list` shows the installed tools", tools().collect()),
            "Plugin" => ("plugin", "`casemate list` shows the installed plugins", plugins().collect()),
            "Action" => (
                "tool",
                "`casemate list` shows the installed tools; `Action::\"read\"` and the other effects, and `Action::\"PLUGIN\"`, stand for several",
                tools()
                    .chain(shapes.tools.values().flat_map(Shape::groups))
                    .chain(EFFECTS.iter().map(|effect| effect.as_str()))
                    .collect(),
            ),
            "Principal" => (
                "principal",
                "policies name who holds a grant: look at `principals` under `[grants.NAME]`",
                shapes.principals.iter().map(|id| id.as_str()).collect(),
            ),
            _ => return,
        };
        if what == "tool" && stand == Stand::Compared && names.contains(&name) && !tools().any(|tool| tool == name) {
            self.find(name, RulesFault::Group { name: name.to_owned() });
        } else if !names.contains(&name) && (what != "principal" || !self.may_come_by_role(name)) {
            self.find(name, RulesFault::NoSuch { what, name: name.to_owned(), near: nearest(name, names), help });
        }
    }

    /// Whether a caller of this id may hold a grant that does not name it.
    fn may_come_by_role(&self, name: &str) -> bool {
        let kinds = ["token:", "oidc:sub:", "oidc:client:"];
        self.shapes.by_role && kinds.iter().any(|kind| name.len() > kind.len() && name.starts_with(kind))
    }

    /// Keep a fault, at the first place where the name stands.
    fn find(&mut self, name: &str, fault: RulesFault) {
        let written = name.escape_debug().to_string();
        let at = tokens(self.text)
            .find(|(_, token)| match token {
                Token::Word(word) => *word == name,
                Token::Text(text) => *text == name || *text == written,
                Token::Mark(_) => false,
            })
            .map_or(0, |(at, _)| at);
        self.found.push((at, fault));
    }
}

/// What stands at a path.
#[derive(Clone, Copy)]
enum At<'a> {
    Record(&'a Record),
    Kind(&'a Kind),
}

impl<'a> At<'a> {
    fn record(self) -> Option<&'a Record> {
        match self {
            Self::Record(record) | Self::Kind(Kind::Record(record)) => Some(record),
            Self::Kind(_) => None,
        }
    }

    /// What it may be, or its elements.
    fn words(self) -> Option<&'a Words> {
        match self {
            Self::Kind(Kind::Text(words)) => Some(words),
            Self::Kind(Kind::List(kind)) => Self::Kind(kind).words(),
            _ => None,
        }
    }
}

fn at<'a>(path: &Expr, shapes: &'a Shapes, shape: &'a Shape) -> Option<At<'a>> {
    let mut names = Vec::new();
    let mut path = path;
    while let Expr::GetAttr { expr, attr } = path {
        names.push(attr.as_str());
        path = expr;
    }
    let root = match path {
        Expr::Var(Var::Context) => &shape.context,
        Expr::Var(Var::Principal) => &shapes.principal,
        Expr::Var(Var::Resource) => &shapes.tool,
        _ => return None,
    };
    names.iter().rev().try_fold(At::Record(root), |at, name| Some(At::Kind(&at.record()?.0.get(*name)?.kind)))
}

/// A text, or the texts of a set.
fn texts(expression: &Expr) -> Vec<&str> {
    match expression {
        Expr::Literal(Literal::String(text)) => vec![text.as_str()],
        Expr::Set(items) => items.iter().flat_map(|item| texts(item)).collect(),
        _ => Vec::new(),
    }
}

fn may_be(word: &str, words: &Words, shape: &Shape) -> bool {
    match words {
        Words::Any => true,
        Words::Of(words) => words.contains(word),
        Words::Pointer => Pointer::parse(word).is_ok_and(|pointer| has_place(&shape.signed.input_schema, &pointer)),
    }
}
