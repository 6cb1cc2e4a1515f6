//! Splits a psql script into statements and psql's own commands.
//!
//! Written apart from the classifier's own scanner, so that a mistake there is not made here, too.

/// One piece of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// SQL to be sent as it is once variables are put in, without its last `;`.
    Statement(String),
    /// A command of psql's, with the SQL in front of it on the same line, if any: `SELECT 1 \gset`.
    Meta {
        /// The SQL that the command is about; empty if there is none.
        sql: String,
        /// The command and its arguments, up to the end of the line.
        command: String,
    },
}

/// A script and how far it has been read.
#[derive(Clone, Debug)]
pub(crate) struct Script<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Script<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, pos: 0 }
    }

    /// The lines up to one with `\.`: what a `COPY … FROM STDIN` reads, if the server wants it.
    pub(crate) fn take_data(&mut self) -> String {
        let rest = &self.text[self.pos..];
        let start = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let mut end = start;
        for line in rest[start..].split_inclusive('\n') {
            if line.trim_end() == "\\." {
                self.pos += end + line.len();
                return rest[start..end].to_owned();
            }
            end += line.len();
        }
        self.pos = self.text.len();
        rest[start..].to_owned()
    }

    /// The next piece.
    pub(crate) fn next_item(&mut self) -> Option<Item> {
        let mut sql = String::new();
        let (mut depth, mut blocks) = (0_usize, 0_usize);
        loop {
            let rest = &self.text[self.pos..];
            let Some(first) = rest.chars().next() else {
                let last = sql.trim().to_owned();
                return (!is_blank(&last)).then_some(Item::Statement(last));
            };
            if rest.starts_with("\\;") {
                self.pos += 2;
                sql.push(';');
                continue;
            }
            if first == '\\' {
                let length = rest.find('\n').unwrap_or(rest.len());
                self.pos += length;
                let command = rest[..length].trim().to_owned();
                let sql = if is_blank(&sql) { String::new() } else { sql.trim().to_owned() };
                return Some(Item::Meta { sql, command });
            }
            let length = token_length(rest);
            let token = &rest[..length];
            self.pos += length;
            match token {
                ";" if depth == 0 && blocks == 0 => {
                    if is_blank(&sql) {
                        sql.clear();
                        continue;
                    }
                    return Some(Item::Statement(sql.trim().to_owned()));
                }
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => blocks = blocks_after(&sql, token, blocks),
            }
            sql.push_str(token);
        }
    }
}

/// psql's own rule: in `CREATE FUNCTION` and `CREATE PROCEDURE`, `BEGIN` and `CASE` open a block.
fn blocks_after(sql: &str, token: &str, blocks: usize) -> usize {
    let is = |word: &str| token.eq_ignore_ascii_case(word);
    if !(is("begin") || is("case") || is("end")) {
        return blocks;
    }
    let words: Vec<String> = words(sql).take(4).collect();
    let at = if words.get(1).is_some_and(|word| word == "or") { 3 } else { 1 };
    let kind = words.get(at).map(String::as_str);
    if words.first().map(String::as_str) != Some("create")
        || !matches!(kind, Some("function" | "procedure"))
    {
        return blocks;
    }
    match () {
        () if is("begin") || (is("case") && blocks > 0) => blocks + 1,
        () if is("end") => blocks.saturating_sub(1),
        () => blocks,
    }
}

/// The words at the beginning of a statement, in lower case, comments left out.
pub(crate) fn words(sql: &str) -> impl Iterator<Item = String> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        loop {
            let first = rest.chars().next()?;
            let (token, after) = rest.split_at(token_length(rest));
            rest = after;
            if first.is_alphabetic() || first == '_' {
                return Some(token.to_ascii_lowercase());
            }
            if !first.is_whitespace() && !token.starts_with("--") && !token.starts_with("/*") {
                return None;
            }
        }
    })
}

/// White space and comments only.
pub(crate) fn is_blank(sql: &str) -> bool {
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = token_length(rest);
        let comment = rest.starts_with("--") || rest.starts_with("/*");
        if !first.is_whitespace() && !comment {
            return false;
        }
        rest = &rest[length..];
    }
    true
}

/// The length of the token at the beginning of a text that is not empty.
pub(crate) fn token_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let end_of = |at: Option<usize>| at.unwrap_or(text.len());
    match bytes[0] {
        b'-' if text.starts_with("--") => end_of(text.find('\n')),
        b'/' if text.starts_with("/*") => comment_length(text),
        b'\'' => string_length(text, 1, false),
        b'"' => end_of(doubled_end(text, 1, b'"')),
        b'E' | b'e' if bytes.get(1) == Some(&b'\'') => string_length(text, 2, true),
        b'$' => dollar_length(text),
        byte if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 => {
            let word = |byte: &u8| {
                byte.is_ascii_alphanumeric() || matches!(*byte, b'_' | b'$') || *byte >= 0x80
            };
            bytes.iter().take_while(|byte| word(byte)).count()
        }
        _ => 1,
    }
}

fn doubled_end(text: &str, mut pos: usize, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    loop {
        pos += bytes.get(pos..)?.iter().position(|&byte| byte == quote)? + 1;
        if bytes.get(pos) != Some(&quote) {
            return Some(pos);
        }
        pos += 1;
    }
}

fn string_length(text: &str, start: usize, escapes: bool) -> usize {
    if !escapes {
        return doubled_end(text, start, b'\'').unwrap_or(text.len());
    }
    let bytes = text.as_bytes();
    let mut pos = start;
    while pos < bytes.len() {
        match (bytes[pos], bytes.get(pos + 1)) {
            (b'\\', _) | (b'\'', Some(b'\'')) => pos += 2,
            (b'\'', _) => return pos + 1,
            _ => pos += 1,
        }
    }
    text.len()
}

fn comment_length(text: &str) -> usize {
    let (mut depth, mut pos) = (0_usize, 0);
    let bytes = text.as_bytes();
    while pos + 1 < bytes.len() {
        match (bytes[pos], bytes[pos + 1]) {
            (b'/', b'*') => depth += 1,
            (b'*', b'/') if depth == 1 => return pos + 2,
            (b'*', b'/') => depth -= 1,
            _ => {
                pos += 1;
                continue;
            }
        }
        pos += 2;
    }
    text.len()
}

/// `$tag$ … $tag$`, or the `$` alone.
fn dollar_length(text: &str) -> usize {
    let Some(end) = text[1..].find('$').map(|at| at + 2) else { return 1 };
    let name = &text[1..end - 1];
    let starts_well = !name.starts_with(|c: char| c.is_ascii_digit());
    if !starts_well || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return 1;
    }
    let tag = &text[..end];
    text[end..].find(tag).map_or(text.len(), |at| end + at + tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Vec<Item> {
        let mut script = Script::new(text);
        std::iter::from_fn(|| script.next_item()).collect()
    }

    fn statements(text: &str) -> Vec<String> {
        items(text)
            .into_iter()
            .map(|item| match item {
                Item::Statement(sql) => sql,
                Item::Meta { sql, command } => format!("{sql}{command}"),
            })
            .collect()
    }

    #[test]
    fn statements_end_where_psql_ends_them() {
        for (text, expected) in [
            ("SELECT 1;\n SELECT 2 ; ", vec!["SELECT 1", "SELECT 2"]),
            (
                "SELECT ';', \"a;\", $$;$$, $x$;$$;$x$; b",
                vec!["SELECT ';', \"a;\", $$;$$, $x$;$$;$x$", "b"],
            ),
            (
                "SELECT E'\\';' /* ; /* ; */ ; */ -- ;\n; x",
                vec!["SELECT E'\\';' /* ; /* ; */ ; */ -- ;", "x"],
            ),
            (
                "CREATE RULE r AS ON INSERT TO t DO (a; b); c;",
                vec!["CREATE RULE r AS ON INSERT TO t DO (a; b)", "c"],
            ),
            (
                "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END; SELECT 3;",
                vec![
                    "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END",
                    "SELECT 3",
                ],
            ),
            ("BEGIN; SELECT 1; END;", vec!["BEGIN", "SELECT 1", "END"]),
            ("SELECT 1 \\; SELECT 2;", vec!["SELECT 1 ; SELECT 2"]),
            ("-- nothing\n;;", vec![]),
            ("SELECT $1, $2;", vec!["SELECT $1, $2"]),
        ] {
            assert_eq!(statements(text), expected, "{text}");
        }
    }

    #[test]
    fn commands_of_psql_are_found() {
        let found = items("\\d t\nSELECT 1 AS x \\gset p_\nSELECT :'x';");
        let meta =
            |sql: &str, command: &str| Item::Meta { sql: sql.into(), command: command.into() };
        let last = Item::Statement("SELECT :'x'".into());
        assert_eq!(found, [meta("", "\\d t"), meta("SELECT 1 AS x", "\\gset p_"), last]);
    }

    #[test]
    fn data_of_copy_ends_at_its_mark() {
        let mut script = Script::new("COPY t FROM stdin;\n1\ta;b\n2\t'\n\\.\nSELECT 1;");
        assert_eq!(script.next_item(), Some(Item::Statement("COPY t FROM stdin".into())));
        assert_eq!(script.take_data(), "1\ta;b\n2\t'\n");
        assert_eq!(script.next_item(), Some(Item::Statement("SELECT 1".into())));
        assert_eq!(script.next_item(), None);
    }

    #[test]
    fn the_first_words_are_found_behind_comments() {
        let found: Vec<String> = words("/* a */ -- b\n Create OR replace (x").collect();
        assert_eq!(found, ["create", "or", "replace"]);
    }
}
