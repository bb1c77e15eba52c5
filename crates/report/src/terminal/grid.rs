//! Tables whose columns fit the terminal.

use undrop_text::printable;

use super::{Paint, TextScreen};
use crate::document::{Align, Cell, Grid, Tone};
use crate::layout::{width, wrap, wrap_strictly};

/// The number of spaces between two columns.
const GAP: usize = 3;
/// The width below which a column of text is not narrowed.
const NARROWEST: usize = 14;

impl TextScreen {
    /// Writes a table. Columns of text are narrowed until it fits; if that is not enough, each row becomes a block of lines.
    pub(super) fn grid(&mut self, grid: &Grid) {
        let cells: Vec<Vec<Cell>> = grid.rows.iter().map(|row| row.iter().map(safe).collect()).collect();
        let names: Vec<Cell> =
            grid.columns.iter().map(|column| safe(&Cell::from(column.name.as_str()))).collect();
        let mut widths: Vec<usize> = names.iter().map(|name| width(&name.text)).collect();
        for row in &cells {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(&cell.text));
            }
        }
        if !narrow(&mut widths, grid, self.width.saturating_sub(2)) {
            for row in &cells {
                self.stacked(&names, row);
            }
            return;
        }
        if grid.has_head() {
            let head: Vec<Cell> = names.into_iter().map(|name| Cell { tone: Tone::Muted, ..name }).collect();
            self.row(grid, &widths, &head);
        }
        for row in &cells {
            self.row(grid, &widths, row);
        }
    }

    fn row(&mut self, grid: &Grid, widths: &[usize], cells: &[Cell]) {
        let last = widths.len().saturating_sub(1);
        let wrapped: Vec<Vec<String>> = cells
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(i, (cell, columns))| {
                // A long word in the last column can be copied whole; elsewhere it would shift the next column.
                if i == last { wrap(&cell.text, *columns) } else { wrap_strictly(&cell.text, *columns) }
            })
            .collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or_default();
        for number in 0..height {
            let mut line = String::from(" ");
            for (i, lines) in wrapped.iter().enumerate() {
                let text = lines.get(number).map_or("", String::as_str);
                line.push_str(&" ".repeat(if i == 0 { 1 } else { GAP }));
                let paint = Paint::of(cells[i].tone);
                if grid.columns[i].align == Align::Right {
                    line.push_str(&" ".repeat(widths[i].saturating_sub(width(text))));
                    line.push_str(&self.paint(text, paint));
                } else if i == last {
                    line.push_str(&self.paint(text, paint));
                } else {
                    line.push_str(&self.padded(text, widths[i], paint));
                }
            }
            self.line(&line);
        }
    }

    /// Writes a row as a block: the first cell, then the others with their names, each on a separate line.
    fn stacked(&mut self, names: &[Cell], cells: &[Cell]) {
        for (i, (name, cell)) in names.iter().zip(cells).enumerate() {
            if cell.text.is_empty() {
                continue;
            }
            let indent = if i == 0 { "  " } else { "    " };
            let label =
                if i == 0 || name.text.is_empty() { String::new() } else { format!("{}: ", name.text) };
            self.paragraph(indent, &format!("{label}{}", cell.text), Paint::of(cell.tone));
        }
    }
}

/// Narrows columns of text, the widest first, until the table has at most `available` columns. Returns whether it has.
fn narrow(widths: &mut [usize], grid: &Grid, available: usize) -> bool {
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    while total(widths) > available {
        let text = grid.columns.iter().enumerate().filter(|(_, column)| column.align == Align::Left);
        let widest = text.map(|(i, _)| i).max_by_key(|i| widths[*i]);
        let Some(widest) = widest.filter(|i| widths[*i] > NARROWEST) else { return false };
        widths[widest] -= 1;
    }
    true
}

fn safe(cell: &Cell) -> Cell {
    Cell { text: printable::line(&cell.text).into_owned(), tone: cell.tone }
}
