//! A result set as text, read strictly.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::Garbage;

/// The rows of one answer.
///
/// All texts stand in one buffer: a cell of its own each would be an allocation each, hundreds for
/// a round of probes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Shared by all answers to one statement.
    columns: Arc<[String]>,
    text: String,
    /// Where in `text` each cell stands, row by row; `None` is NULL.
    cells: Vec<Option<Range<usize>>>,
    /// What further statements of the same text answered, in their order, up to the first that the
    /// server refused.
    pub(crate) others: Vec<Self>,
}

/// One row of an [`Answer`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    answer: &'a Answer,
    cells: &'a [Option<Range<usize>>],
}

impl Answer {
    /// An answer without rows.
    pub(crate) fn new(columns: Arc<[String]>) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Makes room for so many rows, with so many bytes of text in all.
    pub(crate) fn reserve(&mut self, rows: usize, bytes: usize) {
        self.cells.reserve(rows * self.columns.len());
        self.text.reserve(bytes);
    }

    /// Adds the next cell; `None` is NULL. The one under the last column ends its row.
    pub(crate) fn push(&mut self, cell: Option<&str>) {
        let begin = self.text.len();
        self.text.push_str(cell.unwrap_or_default());
        self.cells.push(cell.map(|_| begin..self.text.len()));
    }

    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        // `chunks_exact` refuses zero; without columns there are no cells either.
        let width = self.columns.len().max(1);
        self.cells.chunks_exact(width).map(|cells| Row { answer: self, cells })
    }

    pub(crate) fn first_row(&self) -> Result<Row<'_>, Garbage> {
        self.rows().next().ok_or_else(|| Garbage("the answer has no row".to_owned()))
    }

    pub(crate) fn only_row(&self) -> Result<Row<'_>, Garbage> {
        match self.rows().len() {
            1 => self.first_row(),
            n => Err(Garbage(format!("the answer has {n} rows instead of one"))),
        }
    }
}

impl<'a> Row<'a> {
    /// The text of a column; `None` is NULL.
    pub(crate) fn text(&self, column: &str) -> Result<Option<&'a str>, Garbage> {
        let index = self.answer.columns.iter().position(|name| name == column);
        let cell = index.and_then(|index| self.cells.get(index));
        let cell = cell.ok_or_else(|| Garbage(format!("the answer has no column {column}")))?;
        Ok(cell.clone().map(|range| &self.answer.text[range]))
    }

    pub(crate) fn shared(&self, column: &str) -> Result<Option<Arc<str>>, Garbage> {
        Ok(self.text(column)?.map(Arc::from))
    }

    pub(crate) fn bool(&self, column: &str) -> Result<bool, Garbage> {
        match self.text(column)? {
            Some("t") => Ok(true),
            Some("f") => Ok(false),
            other => Err(unreadable(column, other)),
        }
    }

    pub(crate) fn u64(&self, column: &str) -> Result<Option<u64>, Garbage> {
        let parse = |text: &str| text.parse().map_err(|_| unreadable(column, Some(text)));
        self.text(column)?.map(parse).transpose()
    }

    /// A variable of MySQL that is on or off. One that says more than that is on.
    #[cfg(feature = "mysql")]
    pub(crate) fn switch(&self, column: &str) -> Result<bool, Garbage> {
        let value = self.text(column)?.ok_or_else(|| unreadable(column, None))?;
        Ok(value != "0" && !value.eq_ignore_ascii_case("off"))
    }

    /// A number of milliseconds; a negative one (clocks differ) counts as none.
    pub(crate) fn millis(&self, column: &str) -> Result<Option<Duration>, Garbage> {
        let parse = |text: &str| match text.parse::<f64>() {
            Ok(millis) if millis.is_finite() => {
                Ok(Duration::try_from_secs_f64(millis.max(0.0) / 1e3).unwrap_or(Duration::MAX))
            }
            Ok(_) | Err(_) => Err(unreadable(column, Some(text))),
        };
        self.text(column)?.map(parse).transpose()
    }
}

fn unreadable(column: &str, value: Option<&str>) -> Garbage {
    Garbage(format!("column {column} cannot be read: {}", value.unwrap_or("NULL")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(columns: &[&str], cells: &[Option<&str>]) -> Answer {
        let mut answer = Answer::new(columns.iter().map(|name| (*name).to_owned()).collect());
        cells.iter().for_each(|cell| answer.push(*cell));
        answer
    }

    #[test]
    fn every_cell_is_found_again() {
        let cells = [Some("x"), None, Some(""), Some("déjà"), None, Some("y")];
        let mut answer = answer(&["a", "b"], &cells);
        let read = answer.rows().flat_map(|row| [row.text("a"), row.text("b")]);
        assert_eq!(read.collect::<Result<Vec<_>, _>>(), Ok(cells.to_vec()));
        assert!(answer.only_row().is_err(), "there are three");
        answer.push(Some("half a row"));
        assert_eq!(answer.rows().len(), 3);
        assert_eq!(Answer::default().rows().len(), 0);
    }

    #[test]
    fn what_cannot_be_read_is_garbage_not_a_default() {
        let answer = answer(&["a", "b"], &[Some("x"), None]);
        let row = answer.only_row().unwrap();
        assert!(row.bool("a").is_err());
        assert!(row.bool("b").is_err());
        assert!(row.u64("a").is_err());
        assert!(row.millis("a").is_err());
        assert_eq!(row.u64("b"), Ok(None));
        assert!(row.text("c").is_err());
        assert!(Answer::default().first_row().is_err());
    }

    #[test]
    fn negative_lag_is_none() {
        let answer = answer(&["lag"], &[Some("-3.5")]);
        assert_eq!(answer.first_row().unwrap().millis("lag"), Ok(Some(Duration::ZERO)));
    }
}
