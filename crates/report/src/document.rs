//! The view model of every report: what is shown, in which order, and how it is weighted.
//!
//! A [`Document`] knows nothing of terminals or HTML. `undrop doctor` and `undrop explain --log` make one from a
//! [`Report`](crate::Report), `undrop bench` makes one from its own figures, and the renderers draw it.

use crate::chart::Chart;
use crate::plot::Plot;

/// A report as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The title of the browser tab.
    pub title: String,
    /// The thing that was examined and under which conditions, such as a URL and the options of the run.
    pub subject: String,
    /// The outcome in one sentence.
    pub headline: String,
    /// The weight of the outcome.
    pub tone: Tone,
    /// The order of subject and headline on a terminal.
    pub opening: OpeningOrder,
    /// The figures that matter most. Only pages show them.
    pub tiles: Vec<Tile>,
    /// The parts of the document, from top to bottom.
    pub sections: Vec<Section>,
    /// Remarks that limit or explain the document, one paragraph each.
    pub notes: Vec<String>,
}

/// The order of subject and headline on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpeningOrder {
    /// The subject comes first, then the headline as a paragraph.
    SubjectFirst,
    /// The headline is the first line and is never wrapped, so that a script can read it with `head -1`.
    HeadlineFirst,
}

/// The weight of a piece of text, which the renderers show as a colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Text of normal importance.
    #[default]
    Plain,
    /// Text of less importance.
    Muted,
    /// A result without problems.
    Good,
    /// A fact that is worth knowing.
    Note,
    /// A result that may be a problem.
    Warning,
    /// A result that is a problem.
    Error,
}

/// A figure with a caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// The weight of the figure.
    pub tone: Tone,
    /// The figure with its unit.
    pub value: String,
    /// A few words that say what the figure is.
    pub caption: String,
}

/// A part of a document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// The heading; empty for a section without one.
    pub title: String,
    /// Whether a wide page shows this section and the next one side by side.
    pub half: bool,
    /// The content, from top to bottom.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A paragraph and its weight.
    Text(Tone, String),
    /// A table with its head.
    Grid(Grid),
    /// A finding with its labelled entries.
    Card(Card),
    /// A chart that a terminal shows as well.
    Chart(Chart),
    /// A diagram that only pages show.
    Plot(Plot),
}

/// A table with aligned columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grid {
    /// The columns, from left to right.
    pub columns: Vec<Column>,
    /// The rows; each has as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// The name of a column and the alignment of its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name; a table whose names are all empty has no head.
    pub name: String,
    /// The alignment of the cells.
    pub align: Align,
}

/// The alignment of the cells of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text, which may be wrapped.
    Left,
    /// Numbers, which are never wrapped.
    Right,
}

/// The content of a cell and its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The text of the cell.
    pub text: String,
    /// The weight of the text.
    pub tone: Tone,
}

/// A finding: a title and labelled entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The weight of the finding.
    pub tone: Tone,
    /// The severity in a word.
    pub severity: String,
    /// The identifier and the confidence.
    pub meta: String,
    /// The finding in one sentence.
    pub title: String,
    /// The entries, from top to bottom.
    pub entries: Vec<CardEntry>,
}

/// A labelled part of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardEntry {
    /// The label in lower case.
    pub label: &'static str,
    /// The content of the entry.
    pub value: CardValue,
}

/// The content of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardValue {
    /// A sentence or a figure.
    Text(String),
    /// A list of sentences.
    Items(Vec<String>),
    /// A command line to run.
    Command(String),
    /// A block to copy, after a sentence that says why.
    Code {
        /// The purpose of the block; may be empty.
        reason: String,
        /// The language of the block, as Markdown names it.
        language: String,
        /// The lines of the block.
        text: String,
    },
}

impl Section {
    /// Creates a section without content.
    pub fn new(title: impl Into<String>) -> Section {
        Section { title: title.into(), half: false, blocks: Vec::new() }
    }

    /// Creates a section that shares a row of a wide page with its neighbour.
    pub fn half(title: impl Into<String>) -> Section {
        Section { half: true, ..Section::new(title) }
    }

    /// Adds a block and returns the section.
    #[must_use]
    pub fn with(mut self, block: Block) -> Section {
        self.blocks.push(block);
        self
    }

    /// Adds a paragraph of the given weight.
    pub fn text(&mut self, tone: Tone, text: impl Into<String>) {
        self.blocks.push(Block::Text(tone, text.into()));
    }
}

impl Grid {
    /// Creates a table whose first column holds the names of the rows and whose other columns hold numbers.
    pub fn of_numbers(names: &[&str]) -> Grid {
        let align = |at| if at == 0 { Align::Left } else { Align::Right };
        let columns = names.iter().enumerate();
        Grid {
            columns: columns
                .map(|(at, name)| Column { name: (*name).to_owned(), align: align(at) })
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Creates a table whose columns all hold text.
    pub fn of_text<S: AsRef<str>>(names: &[S]) -> Grid {
        let column = |name: &S| Column { name: name.as_ref().to_owned(), align: Align::Left };
        Grid { columns: names.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Sets the alignment of a column.
    #[must_use]
    pub fn align(mut self, column: usize, align: Align) -> Grid {
        if let Some(column) = self.columns.get_mut(column) {
            column.align = align;
        }
        self
    }

    /// Adds a row. Missing cells are empty, surplus ones are dropped.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut row: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        row.resize(self.columns.len(), Cell::from(""));
        self.rows.push(row);
    }

    /// Returns whether at least one column has a name.
    pub(crate) fn has_head(&self) -> bool {
        self.columns.iter().any(|column| !column.name.is_empty())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell { text: text.to_owned(), tone: Tone::Plain }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, tone: Tone::Plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_as_many_cells_as_there_are_columns() {
        let mut grid = Grid::of_numbers(&["a", "b"]);
        grid.row(["1"]);
        grid.row(["1", "2", "3"]);
        let texts: Vec<Vec<&str>> =
            grid.rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()).collect()).collect();
        assert_eq!(texts, [["1", ""], ["1", "2"]]);
        assert_eq!((grid.columns[0].align, grid.columns[1].align), (Align::Left, Align::Right));
    }
}
