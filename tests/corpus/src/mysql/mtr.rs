//! The scripts of `mariadb-test`: the SQL statements in them.
//!
//! A script is a sequence of SQL statements, which end at a delimiter, and of commands of the test
//! program, which begin with `--` or with a word of its own and, without `--`, end at the delimiter
//! as well (MariaDB documentation, "mysqltest and mysqltest-embedded"). Only the statements are of
//! interest. What depends on a variable of the program (`$name`) is left out, and so is what is in
//! the programs of other languages.

/// The commands of the test program that may stand without `--`.
const COMMANDS: [&str; 85] = [
    "append_file",
    "assert",
    "cat_file",
    "change_user",
    "character_set",
    "chmod",
    "connect",
    "connection",
    "copy_file",
    "copy_files_wildcard",
    "dec",
    "die",
    "diff_files",
    "dirty_close",
    "disable_abort_on_error",
    "disable_async_client",
    "disable_column_names",
    "disable_connect_log",
    "disable_cursor_protocol",
    "disable_info",
    "disable_metadata",
    "disable_non_blocking_api",
    "disable_parsing",
    "disable_prepare_warnings",
    "disable_ps2_protocol",
    "disable_ps_protocol",
    "disable_query_log",
    "disable_reconnect",
    "disable_result_log",
    "disable_rpl_parse",
    "disable_service_connection",
    "disable_session_track_info",
    "disable_testcase",
    "disable_view_protocol",
    "disable_warnings",
    "disconnect",
    "echo",
    "enable_abort_on_error",
    "enable_async_client",
    "enable_column_names",
    "enable_connect_log",
    "enable_cursor_protocol",
    "enable_info",
    "enable_metadata",
    "enable_non_blocking_api",
    "enable_parsing",
    "enable_prepare_warnings",
    "enable_ps2_protocol",
    "enable_ps_protocol",
    "enable_query_log",
    "enable_reconnect",
    "enable_result_log",
    "enable_rpl_parse",
    "enable_service_connection",
    "enable_session_track_info",
    "enable_testcase",
    "enable_view_protocol",
    "enable_warnings",
    "end",
    "error",
    "eval",
    "evalp",
    "exec",
    "execw",
    "exit",
    "file_exists",
    "force-cpdir",
    "force-rmdir",
    "horizontal_results",
    "inc",
    "let",
    "list_files",
    "lowercase_result",
    "mkdir",
    "move_file",
    "perl",
    "ping",
    "query_get_value",
    "real_sleep",
    "reap",
    "remove_file",
    "replace_column",
    "replace_numeric_round",
    "replace_regex",
    "replace_result",
];
const MORE: [&str; 27] = [
    "reset_connection",
    "result_format",
    "rmdir",
    "save_master_pos",
    "send",
    "send_eval",
    "send_quit",
    "send_shutdown",
    "shutdown_server",
    "skip",
    "sleep",
    "sorted_result",
    "partially_sorted_result",
    "source",
    "start_timer",
    "end_timer",
    "sync_slave_with_master",
    "sync_with_master",
    "system",
    "vertical_results",
    "wait_for_slave_to_stop",
    "while",
    "if",
    "write_file",
    "write_line",
    "optimizer_trace",
    "remove_files_wildcard",
];

/// Commands behind which lines follow, up to one that says `EOF` or what they name.
const WITH_TEXT: [&str; 3] = ["perl", "append_file", "write_file"];

/// The statements of a script, in their order.
pub(crate) fn statements(script: &str) -> Vec<String> {
    let mut reader = Reader { rest: script, delimiter: ";".to_owned(), found: Vec::new() };
    while reader.step() {}
    reader.found
}

struct Reader<'a> {
    rest: &'a str,
    delimiter: String,
    found: Vec<String>,
}

impl Reader<'_> {
    /// Takes the next command, statement or comment; `false` at the end.
    fn step(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest;
        if rest.is_empty() {
            return false;
        }
        let line_end = rest.find('\n').unwrap_or(rest.len());
        let line = &rest[..line_end];
        if let Some(command) = line.strip_prefix("--") {
            self.rest = &rest[line_end..];
            self.command(command.trim());
        } else if line.starts_with('#') || line.starts_with(['{', '}']) {
            let skipped = if line.starts_with('#') { line_end } else { 1 };
            self.rest = &rest[skipped..];
        } else {
            self.text();
        }
        true
    }

    /// A command on a line of its own.
    fn command(&mut self, text: &str) {
        let (word, arguments) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let word = word.to_ascii_lowercase();
        if word == "delimiter" {
            arguments.trim().clone_into(&mut self.delimiter);
        } else if word == "eval" || word == "send" || word == "query" {
            self.push(arguments.trim_end_matches(&*self.delimiter.clone()));
        } else if WITH_TEXT.contains(&word.as_str()) {
            self.skip_text(arguments);
        } else if word == "disable_parsing" {
            let end = self.rest.find("--enable_parsing").unwrap_or(self.rest.len());
            self.rest = &self.rest[end..];
        }
    }

    /// A statement, or a command that ends at the delimiter.
    fn text(&mut self) {
        let word: String =
            self.rest.chars().take_while(|c| c.is_alphanumeric() || "_-".contains(*c)).collect();
        let word = word.to_ascii_lowercase();
        if word == "while" || word == "if" {
            // `if (…)` up to its block, which may be on the next line.
            let line = self.rest.find('\n').unwrap_or(self.rest.len());
            let block = self.rest.find('{').unwrap_or(line);
            let is_sql = word == "if" && self.delimiter != ";";
            if !is_sql {
                self.rest = &self.rest[block.min(self.rest.len())..];
                return;
            }
        }
        let end = self.end();
        let text = self.rest[..end].trim_end();
        self.rest = self.rest.get(end + self.delimiter.len()..).unwrap_or_default();
        if word == "delimiter" {
            let new = text[word.len()..].trim();
            // In the manner of the client: up to the end of the line.
            let new = new.lines().next().unwrap_or(";").trim();
            new.clone_into(&mut self.delimiter);
        } else if word == "eval" || word == "send" || word == "evalp" || word == "query" {
            self.push(text[word.len()..].trim());
        } else if WITH_TEXT.contains(&word.as_str()) {
            self.skip_text(&text[word.len()..]);
        } else if !COMMANDS.contains(&word.as_str()) && !MORE.contains(&word.as_str()) {
            self.push(text);
        }
    }

    /// Where the delimiter is, outside of quotes and comments.
    fn end(&self) -> usize {
        let bytes = self.rest.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if self.rest[at..].starts_with(&self.delimiter) {
                return at;
            }
            at = match bytes[at] {
                quote @ (b'\'' | b'"' | b'`') => closing(bytes, at + 1, quote),
                b'#' => line_end(bytes, at),
                b'-' if bytes.get(at + 1) == Some(&b'-')
                    && bytes.get(at + 2).is_none_or(u8::is_ascii_whitespace) =>
                {
                    line_end(bytes, at)
                }
                _ => at + 1,
            };
            while !self.rest.is_char_boundary(at) {
                at += 1;
            }
        }
        bytes.len()
    }

    fn skip_text(&mut self, arguments: &str) {
        let arguments = arguments.trim().trim_end_matches(';').trim();
        let last = arguments.rsplit(char::is_whitespace).next().unwrap_or_default();
        let marker = if last.is_empty() || last.contains(['/', '$', '.']) { "EOF" } else { last };
        let end = self.rest.lines().scan(0, |at, line| {
            let start = *at;
            *at += line.len() + 1;
            Some((start, *at, line))
        });
        let mut end =
            end.filter(|(start, _, line)| *start > 0 && line.trim_end_matches(';') == marker);
        let after = end.next().map_or(self.rest.len(), |(_, after, _)| after);
        self.rest = self.rest.get(after..).unwrap_or_default();
    }

    fn push(&mut self, text: &str) {
        let text = text.trim();
        if !text.is_empty() && !text.contains('$') {
            self.found.push(text.to_owned());
        }
    }
}

fn closing(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() {
        if bytes[at] == b'\\' && quote != b'`' {
            at += 1;
        } else if bytes[at] == quote {
            return at + 1;
        }
        at += 1;
    }
    bytes.len()
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| at + end)
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn statements_are_found_between_commands() {
        let script = "# a comment\n--source include/have.inc\nlet $a = 1;\nselect 1;\n\
            --error ER_X\nselect ';' /* it */;\neval select $a;\neval select 2;\n\
            while ($a)\n{\n  insert into t values (1);\n  dec $a;\n}\n\
            delimiter //;\ncreate procedure p() begin select 1; select 2; end//\ndelimiter ;//\n\
            perl;\nprint 'x';\nEOF\nselect 3;\n--delimiter $\nselect 4$\n--delimiter ;\nselect\n5;";
        let expected = [
            "select 1",
            "select ';' /* it */",
            "select 2",
            "insert into t values (1)",
            "create procedure p() begin select 1; select 2; end",
            "select 3",
            "select 4",
            "select\n5",
        ];
        assert_eq!(statements(script), expected);
    }
}
