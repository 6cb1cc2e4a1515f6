//! Result sets as text.
//!
//! Source: MySQL, "Client/Server Protocol", "Text Protocol" and "COM_QUERY Response".

use std::borrow::Cow;

use super::wire::{Wire, nonsense};
use crate::dialect::Answer;
use crate::probe::Failure;

/// More result sets follow (`SERVER_MORE_RESULTS_EXISTS`).
const MORE: u16 = 8;
/// More are no answer to a question of ours.
const MOST_COLUMNS: u64 = 4096;

/// Reads all result sets of one text. A statement that the server refuses ends the text, but not
/// what was answered before it.
pub(super) async fn read(wire: &mut Wire) -> Result<Answer, Failure> {
    let mut sets: Vec<Answer> = Vec::new();
    loop {
        match read_set(wire).await {
            Ok((set, more)) => {
                sets.extend(set);
                if !more {
                    break;
                }
            }
            Err(failure) if !sets.is_empty() && failure.is_refusal_of_statement() => break,
            Err(failure) => return Err(failure),
        }
    }
    let mut sets = sets.into_iter();
    let mut first = sets.next().unwrap_or_default();
    first.others = sets.collect();
    Ok(first)
}

/// Reads one result set, if the statement has one; and whether others follow.
async fn read_set(wire: &mut Wire) -> Result<(Option<Answer>, bool), Failure> {
    let packet = wire.read().await?;
    let mut fields = Fields(&packet);
    match packet.first() {
        Some(0x00) => {
            fields.skip(1)?;
            // Rows affected, and the last identifier.
            fields.number()?;
            fields.number()?;
            return Ok((None, fields.status()? & MORE != 0));
        }
        Some(0xFB) | None => return Err(nonsense("an answer to another question")),
        Some(_) => {}
    }
    let count = fields.number()?.filter(|count| *count <= MOST_COLUMNS);
    let count = count.ok_or_else(|| nonsense("columns without end"))?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(column_name(&wire.read().await?)?);
    }
    let mut answer = Answer::new(columns.into());
    end(&wire.read().await?)?.ok_or_else(|| nonsense("more columns than announced"))?;
    loop {
        let packet = wire.read().await?;
        if let Some(status) = end(&packet)? {
            return Ok((Some(answer), status & MORE != 0));
        }
        let mut fields = Fields(&packet);
        for _ in 0..count {
            answer.push(fields.text()?.as_deref());
        }
    }
}

/// The status in the packet that ends columns or rows, if it is that.
fn end(packet: &[u8]) -> Result<Option<u16>, Failure> {
    match packet {
        // Longer, it is a row that begins with a long text.
        [0xFE, rest @ ..] if rest.len() < 8 => {
            let mut fields = Fields(rest);
            // Warnings.
            fields.skip(2)?;
            fields.status().map(Some)
        }
        _ => Ok(None),
    }
}

/// Catalogue, schema, table and its own name come before the column's name.
fn column_name(packet: &[u8]) -> Result<String, Failure> {
    let mut fields = Fields(packet);
    for _ in 0..4 {
        fields.text()?;
    }
    Ok(fields.text()?.unwrap_or_default().into_owned())
}

/// What is left to read of a packet.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Failure> {
        let (head, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| nonsense("a packet that is too short"))?;
        self.0 = rest;
        Ok(head)
    }

    fn skip(&mut self, length: usize) -> Result<(), Failure> {
        self.take(length).map(drop)
    }

    fn status(&mut self) -> Result<u16, Failure> {
        let bytes = self.take(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// A number of one to nine bytes; none is NULL.
    fn number(&mut self) -> Result<Option<u64>, Failure> {
        let length = match self.take(1)?[0] {
            0xFB => return Ok(None),
            0xFC => 2,
            0xFD => 3,
            0xFE => 8,
            0xFF => return Err(nonsense("an error inside a packet")),
            small => return Ok(Some(u64::from(small))),
        };
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(self.take(length)?);
        Ok(Some(u64::from_le_bytes(bytes)))
    }

    fn text(&mut self) -> Result<Option<Cow<'a, str>>, Failure> {
        let Some(length) = self.number()? else { return Ok(None) };
        let length = usize::try_from(length).map_err(|_| nonsense("a text without end"))?;
        Ok(Some(String::from_utf8_lossy(self.take(length)?)))
    }
}
