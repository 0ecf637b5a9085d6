//! How the rows that a model gives differ from those that a unit test expects: dbt's `@@` table, with its columns aligned.

use std::fmt;

use serde::Serialize;

/// A row as it is printed; none for NULL.
pub type Row = Vec<Option<String>>;

/// Rows beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The columns that are compared.
    pub columns: Vec<String>,
    /// What became of each row.
    pub rows: Vec<Compared>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// Expected and there.
    Same(Row),
    /// Expected, and there with other values: expected, actual.
    Changed(Row, Row),
    /// Expected and not there.
    Missing(Row),
    /// There and not expected.
    Extra(Row),
}

impl Difference {
    /// Compares rows, whose order does not count and how often each is there does. None if they are the same.
    pub fn of(columns: Vec<String>, expected: &[Row], actual: &[Row]) -> Option<Self> {
        let mut open: Vec<Option<&Row>> = actual.iter().map(Some).collect();
        let mut rows: Vec<Option<Compared>> = Vec::with_capacity(expected.len());
        for row in expected {
            let same = open.iter_mut().find(|other| **other == Some(row));
            rows.push(same.map(|other| {
                *other = None;
                Compared::Same(row.clone())
            }));
        }
        if rows.iter().all(Option::is_some) && open.iter().all(Option::is_none) {
            return None;
        }
        // The pairs that have most in common first; one value in common is the least.
        let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
        for (i, row) in expected
            .iter()
            .enumerate()
            .filter(|(i, _)| rows[*i].is_none())
        {
            for (j, other) in open.iter().enumerate() {
                let Some(other) = other else { continue };
                let alike = row.iter().zip(*other).filter(|(a, b)| a == b).count();
                if alike > 0 || columns.len() == 1 {
                    pairs.push((alike, i, j));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        for (_, i, j) in pairs {
            if rows[i].is_none()
                && let Some(other) = open[j]
            {
                rows[i] = Some(Compared::Changed(expected[i].clone(), other.clone()));
                open[j] = None;
            }
        }
        let mut rows: Vec<Compared> = rows
            .into_iter()
            .zip(expected)
            .map(|(row, expected)| row.unwrap_or_else(|| Compared::Missing(expected.clone())))
            .collect();
        rows.extend(open.into_iter().flatten().cloned().map(Compared::Extra));
        Some(Self { columns, rows })
    }

    /// How many rows differ.
    pub fn count(&self) -> usize {
        let differs = |row: &&Compared| !matches!(row, Compared::Same(_));
        self.rows.iter().filter(differs).count()
    }

    /// The lines of the table: the mark, then a cell per column. Equal rows in the middle of many are left out.
    fn lines(&self) -> Vec<(&'static str, Vec<String>)> {
        /// Equal rows that are shown around what differs.
        const AROUND: usize = 2;
        let near = |at: usize| {
            let from = at.saturating_sub(AROUND);
            let until = (at + AROUND + 1).min(self.rows.len());
            self.rows[from..until]
                .iter()
                .any(|row| !matches!(row, Compared::Same(_)))
        };
        let mut lines = vec![("@@", self.columns.clone())];
        let mut is_left_out = false;
        for (at, row) in self.rows.iter().enumerate() {
            let line = match row {
                Compared::Same(_) if !near(at) => {
                    if !is_left_out {
                        lines.push(("...", vec!["...".to_owned(); self.columns.len()]));
                    }
                    is_left_out = true;
                    continue;
                }
                Compared::Same(row) => ("", row.iter().map(shown).collect()),
                Compared::Missing(row) => ("---", row.iter().map(shown).collect()),
                Compared::Extra(row) => ("+++", row.iter().map(shown).collect()),
                Compared::Changed(expected, actual) => {
                    let cells = expected.iter().zip(actual).map(|(expected, actual)| {
                        if expected == actual {
                            shown(expected)
                        } else {
                            format!("{}→{}", shown(expected), shown(actual))
                        }
                    });
                    ("→", cells.collect())
                }
            };
            is_left_out = false;
            lines.push(line);
        }
        lines
    }
}

fn shown(cell: &Option<String>) -> String {
    match cell {
        None => "NULL".to_owned(),
        Some(text) if text.is_empty() => "''".to_owned(),
        // One row is one line.
        Some(text) => text.replace('\n', "\\n"),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let width = |text: &str| text.chars().count();
        let marks = lines.iter().map(|(mark, _)| width(mark)).max().unwrap_or(0);
        let mut widths = vec![0; self.columns.len()];
        for (_, cells) in &lines {
            for (slot, cell) in widths.iter_mut().zip(cells) {
                *slot = (*slot).max(width(cell));
            }
        }
        for (mark, cells) in &lines {
            let mut line = format!("{mark}{}", " ".repeat(marks - width(mark)));
            for (cell, width_of) in cells.iter().zip(&widths) {
                line.push_str(&format!(" | {cell}{}", " ".repeat(width_of - width(cell))));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        let cell = |text: &str| (text != "-").then(|| text.to_owned());
        let lines = text.lines();
        lines
            .map(|line| line.split(' ').map(cell).collect())
            .collect()
    }

    fn difference(expected: &str, actual: &str) -> Option<Difference> {
        let columns = vec!["id".to_owned(), "name".to_owned()];
        Difference::of(columns, &rows(expected), &rows(actual))
    }

    #[test]
    fn order_does_not_count_and_number_does() {
        assert_eq!(difference("1 a\n2 b", "2 b\n1 a"), None);
        assert_eq!(difference("1 a\n1 a", "1 a\n1 a"), None);
        let one_less = difference("1 a\n1 a", "1 a").expect("they differ");
        assert_eq!(
            one_less.to_string(),
            "@@  | id | name\n    | 1  | a\n--- | 1  | a\n"
        );
        assert_eq!(one_less.count(), 1);
    }

    #[test]
    fn rows_that_have_something_in_common_are_shown_beside_each_other() {
        let found = difference("1 a\n2 b\n3 -", "3 c\n1 a\n4 dd\n2 x").expect("they differ");
        assert_eq!(
            found.to_string(),
            "@@  | id | name\n    | 1  | a\n→   | 2  | b→x\n→   | 3  | NULL→c\n+++ | 4  | dd\n"
        );
    }

    #[test]
    fn many_equal_rows_are_left_out() {
        let expected: Vec<String> = (0..9).map(|n| format!("{n} same")).collect();
        let found = difference(&expected.join("\n"), &expected[..8].join("\n"));
        assert_eq!(
            found.expect("they differ").to_string(),
            "@@  | id  | name\n... | ... | ...\n    | 6   | same\n    | 7   | same\n--- | 8   | same\n"
        );
    }
}
