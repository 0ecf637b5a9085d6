//! The branches of a query's CASE expressions, and the query with a probe in each of them.

use std::collections::HashMap;

use rwt_query::PROBE;
use rwt_sql::lexer::{Token, TokenKind, tokenize};

/// A branch of a CASE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its number, the same for the same branch of the same expression.
    pub number: i64,
    /// `when total > 0`, `else`; white space folded.
    pub text: String,
    /// The same as it is written, to look for in the model's file.
    pub anchor: String,
}

/// Numbers of branches by the text of their CASE and their place in it. An expression that stands in the query twice, as
/// GROUP BY wants it, is one.
#[derive(Debug, Default)]
pub struct Numbers(HashMap<(String, usize), i64>);

impl Numbers {
    fn of(&mut self, case: &str, place: usize) -> i64 {
        let next = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        *self.0.entry((normalised(case), place)).or_insert(next)
    }
}

/// The branches of a query in the order in which they stand, and the query with probes. A query whose CASEs cannot be made
/// out comes back as it is.
pub fn probed(sql: &str, numbers: &mut Numbers) -> (Vec<Branch>, String) {
    let tokens: Vec<Token> = tokenize(sql)
        .into_iter()
        .filter(|token| !token.kind.is_trivia())
        .collect();
    let mut walk = Walk {
        sql,
        tokens: &tokens,
        at: 0,
        copied: 0,
        numbers,
        branches: Vec::new(),
    };
    match walk.until(&[]) {
        Some(mut text) if walk.at == tokens.len() => {
            text.push_str(&sql[walk.copied..]);
            (walk.branches, text)
        }
        _ => (Vec::new(), sql.to_owned()),
    }
}

/// The text without comments, unquoted words in lower case: the same for the same expression, however it is written.
fn normalised(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    for token in tokenize(sql).iter().filter(|token| !token.kind.is_trivia()) {
        let written = token.text(sql);
        match token.kind {
            TokenKind::Word => text.push_str(&written.to_lowercase()),
            _ => text.push_str(written),
        }
        text.push(' ');
    }
    text
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct Walk<'a> {
    sql: &'a str,
    tokens: &'a [Token],
    at: usize,
    /// The text up to here is written.
    copied: usize,
    numbers: &'a mut Numbers,
    branches: Vec<Branch>,
}

/// A branch whose CASE is not at its end yet.
struct Open {
    /// The condition, with probes in the CASEs inside of it.
    condition: Option<String>,
    result: String,
    text: String,
    anchor: String,
}

impl Walk<'_> {
    fn is(&self, word: &str) -> bool {
        let token = self.tokens.get(self.at);
        token.is_some_and(|token| token.is_word(self.sql, word))
    }

    /// The text up to the first of `words` at this depth, or to the end where there are none.
    fn until(&mut self, words: &[&str]) -> Option<String> {
        let mut out = String::new();
        while let Some(token) = self.tokens.get(self.at) {
            if words.iter().any(|word| self.is(word)) {
                out.push_str(&self.sql[self.copied..token.span.start]);
                self.copied = token.span.start;
                return Some(out);
            }
            if self.is("case") {
                out.push_str(&self.sql[self.copied..token.span.start]);
                out.push_str(&self.case()?);
                continue;
            }
            out.push_str(&self.sql[self.copied..token.span.end]);
            self.copied = token.span.end;
            self.at += 1;
        }
        words.is_empty().then_some(out)
    }

    /// Takes one word.
    fn take(&mut self) -> Option<usize> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        self.copied = token.span.end;
        Some(token.span.start)
    }

    fn case(&mut self) -> Option<String> {
        let start = self.take()?;
        let operand = self.until(&["when"])?;
        let mut open = Vec::new();
        while self.is("when") {
            let keyword = self.take()?;
            let from = self.copied;
            let condition = self.until(&["then"])?;
            let written = self.sql[from..self.copied].trim();
            let anchor = self.sql[keyword..self.copied].trim().to_owned();
            self.take()?;
            let result = self.until(&["when", "else", "end"])?;
            let condition = match operand.trim() {
                "" => condition,
                operand => format!("({operand}) = ({})", condition.trim()),
            };
            open.push(Open {
                condition: Some(condition),
                result,
                text: format!("when {}", folded(written)),
                anchor,
            });
        }
        if self.is("else") {
            let keyword = self.take()?;
            let from = self.copied;
            let result = self.until(&["end"])?;
            let written = self.sql[from..self.copied].trim();
            open.push(Open {
                condition: None,
                result,
                text: format!("else {}", folded(written)),
                anchor: self.sql[keyword..self.copied].trim().to_owned(),
            });
        }
        if !self.is("end") || open.is_empty() {
            return None;
        }
        self.take()?;
        let whole = &self.sql[start..self.copied];
        let mut out = String::from("case");
        for (place, branch) in open.into_iter().enumerate() {
            let number = self.numbers.of(whole, place);
            let condition = branch.condition.as_deref().unwrap_or("true").trim();
            let result = branch.result.trim();
            out.push_str(&format!(
                " when {PROBE}({number}, {condition}) then {result}"
            ));
            if self.branches.iter().all(|known| known.number != number) {
                self.branches.push(Branch {
                    number,
                    text: branch.text,
                    anchor: branch.anchor,
                });
            }
        }
        out.push_str(" end");
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> (Vec<String>, String) {
        let (branches, text) = probed(sql, &mut Numbers::default());
        (
            branches.into_iter().map(|branch| branch.text).collect(),
            text,
        )
    }

    #[test]
    fn every_branch_gets_a_probe() {
        let (branches, text) =
            of("select case when a > 0 then 'x' else b end as c, window_end from t -- end");
        assert_eq!(branches, ["when a > 0", "else b"]);
        assert_eq!(
            text,
            "select case when rwt_probe(0, a > 0) then 'x' when rwt_probe(1, true) then b end as c, window_end from t -- end"
        );
    }

    #[test]
    fn a_case_of_a_value_compares_it() {
        let (branches, text) = of("select case kind when 'a' then 1 when 'b' then 2 end from t");
        assert_eq!(branches, ["when 'a'", "when 'b'"]);
        assert_eq!(
            text,
            "select case when rwt_probe(0, (kind) = ('a')) then 1 when rwt_probe(1, (kind) = ('b')) then 2 end from t"
        );
    }

    #[test]
    fn cases_stand_in_cases_and_the_same_one_counts_once() {
        let (branches, text) = of(
            "select case when a then case when b then 1 end else 2 end from t group by CASE when a\nthen case when b then 1 end else 2 end",
        );
        assert_eq!(branches, ["when b", "when a", "else 2"]);
        let (first, second) = text
            .split_once(" from t group by ")
            .expect("both are there");
        // The words between may be written otherwise; what is computed is the same.
        assert_eq!(
            first.matches("rwt_probe(").count(),
            second.matches("rwt_probe(").count()
        );
    }

    #[test]
    fn what_cannot_be_made_out_stays() {
        let (branches, text) = of("select case when a then 1");
        assert!(branches.is_empty());
        assert_eq!(text, "select case when a then 1");
    }
}
