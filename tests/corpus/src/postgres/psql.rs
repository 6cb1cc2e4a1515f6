//! What psql does beside sending SQL, as far as regression scripts need it.

use std::collections::HashMap;

/// Variables, and whether the present lines are in a branch of `\if` that counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Psql {
    variables: HashMap<String, String>,
    /// For each open `\if`: whether this branch counts, and whether one has counted.
    branches: Vec<(bool, bool)>,
}

/// What a command asks of the one who runs the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Connect anew, to this database and as this role where one is named.
    Connect { database: Option<String>, role: Option<String> },
    /// Run the SQL, and every value of its answer as a statement.
    RunCells,
    /// Run the SQL.
    Run,
    /// Run the SQL and keep the values of its row under the names of its columns with this prefix.
    Keep(String),
    /// Run this instead; `COPY` from data that follows.
    Copy(String),
    /// Nothing to be sent.
    Nothing,
    /// The script ends.
    Quit,
}

impl Psql {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Whether the present lines count.
    pub(crate) fn is_active(&self) -> bool {
        self.branches.iter().all(|branch| branch.0)
    }

    /// Follows a command.
    pub(crate) fn command(&mut self, command: &str) -> Request {
        let text = self.put_in(command);
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        if self.branch(name, words.clone().next().unwrap_or_default()) || !self.is_active() {
            return Request::Nothing;
        }
        match name {
            "\\set" => {
                if let Some(variable) = words.next() {
                    let value: String = words.map(|word| word.replace('\'', "")).collect();
                    self.set(variable, &value);
                }
            }
            "\\unset" => drop(words.next().and_then(|name| self.variables.remove(name))),
            "\\gset" => return Request::Keep(words.next().unwrap_or_default().to_owned()),
            "\\gexec" => return Request::RunCells,
            "\\g" | "\\gx" | "\\crosstabview" | "\\watch" => return Request::Run,
            "\\c" | "\\connect" => {
                let mut named = || words.next().filter(|name| *name != "-").map(str::to_owned);
                return Request::Connect { database: named(), role: named() };
            }
            "\\copy" if text.to_ascii_lowercase().contains("from stdin") => {
                return Request::Copy(text[1..].trim_end_matches(';').to_owned());
            }
            "\\quit" | "\\q" => return Request::Quit,
            _ => {}
        }
        Request::Nothing
    }

    /// Follows `\if` and its relatives; says whether it was one.
    fn branch(&mut self, name: &str, condition: &str) -> bool {
        let holds = matches!(condition, "t" | "true" | "1" | "on" | "yes");
        match (name, self.branches.last_mut()) {
            ("\\if", _) => self.branches.push((holds, holds)),
            ("\\elif", Some(branch)) => *branch = (holds && !branch.1, holds || branch.1),
            ("\\else", Some(branch)) => *branch = (!branch.1, true),
            ("\\endif", Some(_)) => drop(self.branches.pop()),
            _ => return false,
        }
        true
    }

    /// The text with variables put in: `:name`, `:'name'`, `:"name"`; not in strings.
    pub(crate) fn put_in(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = super::script::token_length(rest);
            let before = result.as_bytes().last();
            if first == ':'
                && before != Some(&b':')
                && let Some((value, length)) = self.reference(&rest[1..])
            {
                result.push_str(&value);
                rest = &rest[1 + length..];
                continue;
            }
            result.push_str(&rest[..length]);
            rest = &rest[length..];
        }
        result
    }

    /// The value a reference stands for, and the length of its name with quotes.
    fn reference(&self, text: &str) -> Option<(String, usize)> {
        let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let name = &text[usize::from(quote.is_some())..];
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = &name[..end.unwrap_or(name.len())];
        let value = self.variables.get(name)?;
        match quote {
            None => Some((value.clone(), name.len())),
            Some(quote) => {
                let closed = text[1 + name.len()..].starts_with(quote);
                let doubled = value.replace(quote, &format!("{quote}{quote}"));
                closed.then(|| (format!("{quote}{doubled}{quote}"), name.len() + 2))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_outside_of_strings() {
        let mut psql = Psql::default();
        psql.set("x", "it's");
        psql.set("n", "3");
        let text = "SELECT :n, :'x', :\"n\", ':n', a::n, $$:n$$, :unknown, a[1:n]";
        let expected = "SELECT 3, 'it''s', \"3\", ':n', a::n, $$:n$$, :unknown, a[13]";
        assert_eq!(psql.put_in(text), expected);
    }

    #[test]
    fn branches_are_followed() {
        let mut psql = Psql::default();
        psql.set("skip", "t");
        assert_eq!(psql.command("\\if :skip"), Request::Nothing);
        assert_eq!(psql.command("\\quit"), Request::Quit);
        psql.command("\\else");
        assert_eq!(psql.command("\\quit"), Request::Nothing);
        assert!(!psql.is_active());
        psql.command("\\endif");
        assert!(psql.is_active());
    }

    #[test]
    fn commands_are_understood() {
        let mut psql = Psql::default();
        psql.command("\\set dir /tmp");
        psql.command("\\set file :dir '/x.data'");
        assert_eq!(psql.put_in(":'file'"), "'/tmp/x.data'");
        assert_eq!(psql.command("\\gset p_"), Request::Keep("p_".into()));
        let role = Some("joe".to_owned());
        assert_eq!(psql.command("\\c - joe"), Request::Connect { database: None, role });
        assert_eq!(psql.command("\\copy t from stdin;"), Request::Copy("copy t from stdin".into()));
        assert_eq!(psql.command("\\d t"), Request::Nothing);
    }
}
