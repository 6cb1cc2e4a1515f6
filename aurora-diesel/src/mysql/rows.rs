//! The rows of one query, copied out of the connection that has fetched them.
//!
//! Diesel's own rows borrow the connection, and what describes their columns is gone with the
//! statement; these do not, so that a query can be run again elsewhere and its connection serve others.

use std::rc::Rc;

use diesel::mysql::{Mysql, MysqlType, MysqlValue};
use diesel::result::QueryResult;
use diesel::row::{Field, PartialRow, Row as DieselRow, RowIndex, RowSealed};

/// All rows, one by one.
#[derive(Debug)]
pub struct Rows {
    table: Rc<Table>,
    next: usize,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    table: Rc<Table>,
    index: usize,
}

/// One value of a row.
#[derive(Debug)]
pub struct Value<'a> {
    name: Option<&'a str>,
    value: Option<(&'a [u8], MysqlType)>,
}

/// Few allocations, however many rows.
#[derive(Debug, Default)]
struct Table {
    names: Vec<Option<String>>,
    /// Row after row; `None` is NULL.
    cells: Vec<Option<Cell>>,
    bytes: Vec<u8>,
    rows: usize,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    start: usize,
    length: usize,
    kind: MysqlType,
}

impl Rows {
    pub(super) fn collect<'a, R>(cursor: impl Iterator<Item = QueryResult<R>>) -> QueryResult<Self>
    where
        R: DieselRow<'a, Mysql>,
    {
        let mut table = Table::default();
        for row in cursor {
            table.push(&row?);
        }
        Ok(Self { table: Rc::new(table), next: 0 })
    }
}

impl Table {
    fn push<'a>(&mut self, row: &impl DieselRow<'a, Mysql>) {
        for column in 0..row.field_count() {
            let field = row.get(column);
            if self.rows == 0 {
                let name = field.as_ref().and_then(|field| field.field_name());
                self.names.push(name.map(ToOwned::to_owned));
            }
            let cell = field.as_ref().and_then(|field| field.value()).map(|value| {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(value.as_bytes());
                Cell { start, length: value.as_bytes().len(), kind: value.value_type() }
            });
            self.cells.push(cell);
        }
        self.rows += 1;
    }

    fn value(&self, row: usize, column: usize) -> Option<(&[u8], MysqlType)> {
        let Cell { start, length, kind } = (*self.cells.get(row * self.names.len() + column)?)?;
        Some((self.bytes.get(start..start + length)?, kind))
    }
}

impl Iterator for Rows {
    type Item = QueryResult<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.table.rows {
            return None;
        }
        let row = Row { table: Rc::clone(&self.table), index: self.next };
        self.next += 1;
        Some(Ok(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.table.rows - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows {}

impl RowSealed for Row {}

impl<'a> DieselRow<'a, Mysql> for Row {
    type Field<'f>
        = Value<'f>
    where
        'a: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.table.names.len()
    }

    fn get<'b, I>(&'b self, index: I) -> Option<Value<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        let column = self.idx(index)?;
        let name = self.table.names.get(column)?.as_deref();
        Some(Value { name, value: self.table.value(self.index, column) })
    }

    fn partial_row(&self, range: std::ops::Range<usize>) -> PartialRow<'_, Self> {
        PartialRow::new(self, range)
    }
}

impl RowIndex<usize> for Row {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < self.table.names.len()).then_some(index)
    }
}

impl<'n> RowIndex<&'n str> for Row {
    fn idx(&self, name: &'n str) -> Option<usize> {
        self.table.names.iter().position(|own| own.as_deref() == Some(name))
    }
}

impl<'a> Field<'a, Mysql> for Value<'a> {
    fn field_name(&self) -> Option<&str> {
        self.name
    }

    fn value(&self) -> Option<MysqlValue<'_>> {
        self.value.map(|(bytes, kind)| MysqlValue::new(bytes, kind))
    }
}
