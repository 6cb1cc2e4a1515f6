//! A result set as text, read strictly.

use std::sync::Arc;
use std::time::Duration;

use super::Garbage;

/// The rows of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Shared by all answers to one statement.
    pub(crate) columns: Arc<[String]>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    /// What further statements of the same text answered, in their order, up to the first that the
    /// server refused.
    pub(crate) others: Vec<Self>,
}

/// One row of an [`Answer`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    columns: &'a [String],
    values: &'a [Option<String>],
}

impl Answer {
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { columns: &self.columns, values })
    }

    pub(crate) fn first_row(&self) -> Result<Row<'_>, Garbage> {
        self.rows().next().ok_or_else(|| Garbage("the answer has no row".to_owned()))
    }

    pub(crate) fn only_row(&self) -> Result<Row<'_>, Garbage> {
        match self.rows.len() {
            1 => self.first_row(),
            n => Err(Garbage(format!("the answer has {n} rows instead of one"))),
        }
    }
}

impl<'a> Row<'a> {
    /// The text of a column; `None` is NULL.
    pub(crate) fn text(&self, column: &str) -> Result<Option<&'a str>, Garbage> {
        let index = self.columns.iter().position(|name| name == column);
        let value = index.and_then(|index| self.values.get(index));
        let value = value.ok_or_else(|| Garbage(format!("the answer has no column {column}")))?;
        Ok(value.as_deref())
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

    #[test]
    fn what_cannot_be_read_is_garbage_not_a_default() {
        let answer = Answer {
            columns: ["a", "b"].map(String::from).into(),
            rows: vec![vec![Some("x".to_owned()), None]],
            ..Answer::default()
        };
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
        let answer = Answer {
            columns: ["lag".to_owned()].into(),
            rows: vec![vec![Some("-3.5".to_owned())]],
            ..Answer::default()
        };
        assert_eq!(answer.first_row().unwrap().millis("lag"), Ok(Some(Duration::ZERO)));
    }
}
