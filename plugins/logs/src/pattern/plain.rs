//! What is told apart by ASCII alone. Either case of a letter is written out: `a` becomes `[aA]`; Unicode's own table of cases is larger than
//! the rest of the plugin. And a word's edge is one between ASCII: no DFA knows Unicode's, and what does is slow where somebody fills a log with
//! other letters.

use regex_syntax::ast::{
    AssertionKind, Ast, ClassAsciiKind, ClassBracketed, ClassSet, ClassSetItem, ClassSetRange, ClassSetUnion, Flag, Flags,
    FlagsItem, FlagsItemKind, Group, GroupKind, Literal, LiteralKind,
};

/// Write it out in an expression. Whether case is ignored from the start is the caller's to say; the flag `i` is taken out.
pub(super) fn plain(ast: &mut Ast, mut ignore_case: bool) {
    expression(ast, &mut ignore_case);
}

/// `on` changes where the expression says so, up to the end of the group it stands in.
fn expression(ast: &mut Ast, on: &mut bool) {
    match ast {
        Ast::Flags(set) => flags(&mut set.flags, on),
        Ast::Literal(literal) if *on => {
            if let Some(other) = other_case(literal.c) {
                let span = literal.span;
                let items = vec![ClassSetItem::Literal((**literal).clone()), letter(&literal.clone(), other)];
                let kind = ClassSet::Item(ClassSetItem::Union(ClassSetUnion { span, items }));
                *ast = Ast::class_bracketed(ClassBracketed { span, negated: false, kind });
            }
        }
        Ast::ClassBracketed(class) if *on => set(&mut class.kind),
        Ast::Assertion(assertion) if !is_end(&assertion.kind) => {
            let span = assertion.span;
            let items = [FlagsItemKind::Negation, FlagsItemKind::Flag(Flag::Unicode)].map(|kind| FlagsItem { span, kind });
            let kind = GroupKind::NonCapturing(Flags { span, items: items.into() });
            *ast = Ast::group(Group { span, kind, ast: Box::new(Ast::Assertion(assertion.clone())) });
        }
        Ast::Repetition(repetition) => expression(&mut repetition.ast, on),
        Ast::Group(group) => {
            let mut inside = *on;
            if let GroupKind::NonCapturing(set) = &mut group.kind {
                flags(set, &mut inside);
            }
            expression(&mut group.ast, &mut inside);
        }
        Ast::Alternation(parts) => parts.asts.iter_mut().for_each(|part| expression(part, on)),
        Ast::Concat(parts) => parts.asts.iter_mut().for_each(|part| expression(part, on)),
        Ast::Empty(_)
        | Ast::Literal(_)
        | Ast::Dot(_)
        | Ast::Assertion(_)
        | Ast::ClassUnicode(_)
        | Ast::ClassPerl(_)
        | Ast::ClassBracketed(_) => {}
    }
}

/// Whether it is an end of the line, and no edge of a word.
fn is_end(kind: &AssertionKind) -> bool {
    matches!(kind, AssertionKind::StartLine | AssertionKind::EndLine | AssertionKind::StartText | AssertionKind::EndText)
}

fn flags(flags: &mut Flags, on: &mut bool) {
    if let Some(said) = flags.flag_state(Flag::CaseInsensitive) {
        *on = said;
    }
    flags.items.retain(|item| item.kind != FlagsItemKind::Flag(Flag::CaseInsensitive));
}

fn set(kind: &mut ClassSet) {
    match kind {
        ClassSet::Item(it) => item(it),
        ClassSet::BinaryOp(operation) => {
            set(&mut operation.lhs);
            set(&mut operation.rhs);
        }
    }
}

fn item(it: &mut ClassSetItem) {
    let also = match it {
        ClassSetItem::Literal(literal) => other_case(literal.c).map(|other| letter(literal, other)).into_iter().collect(),
        ClassSetItem::Range(range) => {
            vec![other_range(range, 'a', 'z'), other_range(range, 'A', 'Z')].into_iter().flatten().collect()
        }
        ClassSetItem::Ascii(class) => {
            if matches!(class.kind, ClassAsciiKind::Lower | ClassAsciiKind::Upper) {
                class.kind = ClassAsciiKind::Alpha;
            }
            Vec::new()
        }
        ClassSetItem::Bracketed(class) => {
            set(&mut class.kind);
            Vec::new()
        }
        ClassSetItem::Union(union) => {
            union.items.iter_mut().for_each(item);
            Vec::new()
        }
        ClassSetItem::Empty(_) | ClassSetItem::Unicode(_) | ClassSetItem::Perl(_) => Vec::new(),
    };
    if !also.is_empty() {
        let span = *it.span();
        let before = std::mem::replace(it, ClassSetItem::Empty(span));
        let items = std::iter::once(before).chain(also).collect();
        *it = ClassSetItem::Union(ClassSetUnion { span, items });
    }
}

/// The part of a range that lies among these letters, in the other case.
fn other_range(range: &ClassSetRange, first: char, last: char) -> Option<ClassSetItem> {
    let (start, end) = (range.start.c.max(first), range.end.c.min(last));
    let literal = |from: &Literal, c: char| other_case(c).map(|c| Literal { span: from.span, kind: LiteralKind::Verbatim, c });
    if start > end {
        return None;
    }
    let (start, end) = (literal(&range.start, start)?, literal(&range.end, end)?);
    Some(ClassSetItem::Range(ClassSetRange { span: range.span, start, end }))
}

fn letter(like: &Literal, c: char) -> ClassSetItem {
    ClassSetItem::Literal(Literal { span: like.span, kind: LiteralKind::Verbatim, c })
}

fn other_case(c: char) -> Option<char> {
    match c {
        'a'..='z' => Some(c.to_ascii_uppercase()),
        'A'..='Z' => Some(c.to_ascii_lowercase()),
        _ => None,
    }
}
