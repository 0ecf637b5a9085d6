//! Operators between times. minijinja has none for objects, so that in files that speak of times `a + b` becomes
//! `a |rwt__add(b)`: a filter binds to what is before it as the operator does, and leaves numbers what they are.

use std::ops::Range;

use minijinja::{Environment, Error, State, Value, context};

use super::edits::Edit;
use super::scan::{blanks, identifier_len, operand_end, string_end};
use super::timedelta::Operator;

/// Whether a file may hold operators between times.
pub(super) fn speaks_of_times(text: &str) -> bool {
    const WORDS: [&str; 5] = [
        "timedelta",
        "run_started_at",
        "modules.datetime",
        "run_query",
        "load_result",
    ];
    WORDS.iter().any(|word| text.contains(word))
}

/// Adds the filters that stand for the operators.
pub(super) fn add_to(env: &mut Environment<'static>) {
    for (operator, text, name) in Operator::ALL {
        env.add_filter(name, move |state: &State<'_, '_>, a: Value, b: Value| {
            operator
                .of_times(&a, &b)
                .or_else(|| operator.of_integers(&a, &b).map(Ok))
                .unwrap_or_else(|| plain(state, text, a, b))
        });
    }
}

/// What minijinja makes of the operator.
fn plain(state: &State<'_, '_>, operator: &str, a: Value, b: Value) -> Result<Value, Error> {
    let expression = format!("a {operator} b");
    let expression = state.env().compile_expression(&expression)?;
    expression.eval(context! { a, b })
}

/// A piece of an expression between two separators.
#[derive(Default)]
struct Chain {
    /// Ends of the operands, filters included.
    ends: Vec<usize>,
    /// Place and text of the operators between them.
    operators: Vec<(Range<usize>, &'static str, &'static str)>,
    /// Whether it holds what this rewriting does not know.
    strange: bool,
}

impl Chain {
    fn is_multiplied(&self, operator: usize) -> bool {
        !matches!(self.operators[operator].1, "+" | "-")
    }

    /// The edits for one chain. A factor is closed behind itself, a summand behind its last factor.
    fn edits(&self, edits: &mut Vec<Edit>) {
        if self.strange || self.operators.is_empty() || self.ends.len() != self.operators.len() + 1
        {
            return;
        }
        for (index, (range, _, filter)) in self.operators.iter().enumerate() {
            let mut last = index + 1;
            if !self.is_multiplied(index) {
                while last < self.operators.len() && self.is_multiplied(last) {
                    last += 1;
                }
            }
            edits.push(Edit {
                range: range.clone(),
                with: format!("|{filter}("),
            });
            edits.push(Edit {
                range: self.ends[last]..self.ends[last],
                with: ")".to_owned(),
            });
        }
    }
}

/// The edits that turn the operators of an expression into filters.
pub(super) fn edits(text: &str, range: Range<usize>, out: &mut Vec<Edit>) {
    let bytes = &text.as_bytes()[..range.end];
    let mut chain = Chain::default();
    let mut at = range.start;
    let mut wants_operand = true;
    while at < range.end {
        at += blanks(bytes, at);
        let Some(byte) = bytes.get(at).copied() else {
            break;
        };
        if wants_operand {
            let word = &text[at..at + identifier_len(&text[at..range.end])];
            if matches!(word, "not" | "if" | "else" | "in" | "and" | "or" | "is") {
                chain.edits(out);
                chain = Chain::default();
                at += word.len();
                continue;
            }
            if let Some(end) = operand_end(bytes, at).filter(|end| *end > at) {
                inside(text, at..end, out);
                chain.ends.push(end);
                at = end;
                wants_operand = false;
                continue;
            }
            // A sign before an operand, or something that is no expression.
            chain.strange = true;
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let operator = Operator::ALL
            .iter()
            .rev()
            .map(|(_, text, filter)| (*text, *filter))
            .find(|(operator, _)| text[at..range.end].starts_with(operator));
        if let Some((operator, filter)) = operator {
            let doubled = text[at + operator.len()..range.end].starts_with('*');
            chain.strange |= doubled;
            chain
                .operators
                .push((at..at + operator.len(), operator, filter));
            at += operator.len() + usize::from(doubled);
            wants_operand = true;
            continue;
        }
        if byte == b'|' {
            // A filter belongs to the operand before it.
            at += 1;
            at += blanks(bytes, at);
            if let Some(end) = operand_end(bytes, at).filter(|end| *end > at) {
                inside(text, at..end, out);
                if let Some(last) = chain.ends.last_mut() {
                    *last = end;
                }
                at = end;
                continue;
            }
        }
        if byte == b'%' {
            chain.strange = true;
            at += 1;
            wants_operand = true;
            continue;
        }
        // A separator: a comma, a comparison, a word.
        chain.edits(out);
        chain = Chain::default();
        wants_operand = true;
        let word = identifier_len(&text[at..range.end]);
        at += match word {
            0 => text[at..].chars().next().map_or(1, char::len_utf8),
            length => length,
        };
        while matches!(bytes.get(at), Some(b'=')) {
            at += 1;
        }
    }
    chain.edits(out);
}

/// The same for what stands in the brackets of an operand.
fn inside(text: &str, operand: Range<usize>, out: &mut Vec<Edit>) {
    let bytes = &text.as_bytes()[..operand.end];
    let mut at = operand.start;
    while at < operand.end {
        match bytes[at] {
            quote @ (b'\'' | b'"') => at = string_end(bytes, at, quote),
            b'(' | b'[' | b'{' => {
                let end = super::scan::tuple_end(bytes, at);
                edits(text, at + 1..end.saturating_sub(1).max(at + 1), out);
                at = end;
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jinja::edits::apply;

    fn rewritten(text: &str) -> String {
        let mut found = Vec::new();
        edits(text, 0..text.len(), &mut found);
        apply(text, found).0
    }

    #[test]
    fn operators_become_filters() {
        for (text, wanted) in [
            ("a + b", "a |rwt__add( b)"),
            ("a - b + c", "a |rwt__sub( b) |rwt__add( c)"),
            (
                "a + b * c - d",
                "a |rwt__add( b |rwt__mul( c)) |rwt__sub( d)",
            ),
            (
                "f(a + 1, x=b // 2).g(c)",
                "f(a |rwt__add( 1), x=b |rwt__floordiv( 2)).g(c)",
            ),
            (
                "x | int + 1 if y > z - 1 else 'a+b'",
                "x | int |rwt__add( 1) if y > z |rwt__sub( 1) else 'a+b'",
            ),
            ("x = (a - b).days", "x = (a |rwt__sub( b)).days"),
            ("a == b ~ c - d", "a == b ~ c |rwt__sub( d)"),
        ] {
            assert_eq!(rewritten(text), wanted);
        }
    }

    #[test]
    fn what_is_not_known_stays() {
        for text in [
            "-a + b",
            "a ** b",
            "a ** 2 + b",
            "7 % 2 + a",
            "a",
            "'%s' % (b)",
            "a +",
            "",
        ] {
            assert_eq!(rewritten(text), text);
        }
    }
}
