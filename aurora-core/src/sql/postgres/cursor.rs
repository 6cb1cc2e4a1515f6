//! The window on the tokens of this dialect.

use super::lexer::Lexer;
use crate::sql::cursor;

pub(super) type Cursor<'a> = cursor::Cursor<'a, Lexer<'a>>;
