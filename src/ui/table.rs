//! Plain tables for results.

use comfy_table::{CellAlignment, ContentArrangement, presets};

/// How a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a header, without lines around them.
#[derive(Debug)]
pub struct Table {
    inner: comfy_table::Table,
    aligns: Vec<Align>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(columns.iter().map(|(name, _)| *name));
        let aligns = columns.iter().map(|(_, align)| *align).collect();
        Self { inner, aligns }
    }

    /// Rows of a query.
    pub fn of_rows(columns: &[String], rows: &[Vec<Option<String>>]) -> Self {
        let columns: Vec<(&str, Align)> = columns
            .iter()
            .map(|name| (name.as_str(), Align::Left))
            .collect();
        let mut table = Self::new(&columns);
        for row in rows {
            let cells = row.iter().map(|cell| cell.as_deref().unwrap_or("NULL"));
            table.row(cells.map(str::to_owned));
        }
        table
    }

    /// Adds a row; `cells` are as many as columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.inner.add_row(
            cells
                .into_iter()
                .map(|cell| super::printer::printable(&cell)),
        );
    }

    /// Whether it has rows.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The table's text, each line without blanks at its end.
    pub fn render(mut self) -> String {
        for (index, align) in self.aligns.iter().enumerate() {
            if let Some(column) = self.inner.column_mut(index) {
                column.set_cell_alignment(match align {
                    Align::Left => CellAlignment::Left,
                    Align::Right => CellAlignment::Right,
                });
                column.set_padding((if index == 0 { 0 } else { 1 }, 1));
            }
        }
        self.inner
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let mut table = Table::new(&[("name", Align::Left), ("rows", Align::Right)]);
        table.row(["users".to_owned(), "7".to_owned()]);
        table.row(["x".to_owned(), "1000".to_owned()]);
        assert_eq!(table.render(), "name   rows\nusers     7\nx      1000\n");
    }
}
