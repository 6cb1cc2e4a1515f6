//! What Aurora would say in the place of its own words. Pure.

/// The words that only Aurora knows, or that mean something else there.
const WORDS: [&str; 4] =
    ["aurora_server_id", "aurora_version", "innodb_read_only", "replica_host_status"];

/// A version of Aurora MySQL.
const VERSION: &str = "3.08.0";

/// The variables of a server, and Aurora's own, as `SHOW VARIABLES` lists them.
fn variables(own: &str) -> String {
    format!(
        "SELECT Variable_name, Value FROM (\
         SELECT LOWER(VARIABLE_NAME) AS Variable_name, \
         IF(VARIABLE_NAME = 'INNODB_READ_ONLY', IF(@@GLOBAL.read_only, 'ON', 'OFF'), \
         VARIABLE_VALUE) AS Value FROM information_schema.GLOBAL_VARIABLES \
         UNION ALL SELECT 'aurora_version', '{VERSION}' \
         UNION ALL SELECT 'aurora_server_id', '{own}') AS variables"
    )
}

/// The text with what Aurora would say; `None` where it has none of its words. `table` gives the
/// topology as a query.
pub(super) fn rewrite(text: &str, own: &str, table: impl Fn() -> String) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    if !WORDS.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let view = |rest: &str| {
        let alias = if has_alias(rest) { "" } else { " AS replica_host_status" };
        format!("({}){alias}", table())
    };
    let show = |rest: &str| {
        let like = rest.trim_start().get(..4).is_some_and(|word| word.eq_ignore_ascii_case("LIKE"));
        format!("{}{}", variables(own), if like { " WHERE Variable_name" } else { "" })
    };
    let mut text = replace(text, "information_schema.replica_host_status", view);
    for scope in ["@@", "@@global."] {
        let variable = |name: &str| format!("{scope}{name}");
        text = replace(&text, &variable("innodb_read_only"), |_| "@@GLOBAL.read_only".to_owned());
        text = replace(&text, &variable("aurora_server_id"), |_| format!("'{own}'"));
        text = replace(&text, &variable("aurora_version"), |_| format!("'{VERSION}'"));
    }
    for words in ["show variables", "show global variables"] {
        text = replace(&text, words, show);
    }
    Some(text)
}

/// Puts `to` in the place of every `from`, in any case; `to` is given what follows.
fn replace(text: &str, from: &str, to: impl Fn(&str) -> String) -> String {
    // Lower case of ASCII has the same places.
    let lower = text.to_ascii_lowercase();
    let (mut result, mut at) = (String::new(), 0);
    while let Some(found) = lower[at..].find(from) {
        let (begin, end) = (at + found, at + found + from.len());
        result.push_str(&text[at..begin]);
        result.push_str(&to(&text[end..]));
        at = end;
    }
    result.push_str(&text[at..]);
    result
}

/// Whether a name follows the view's, which a query in its place must have.
fn has_alias(rest: &str) -> bool {
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let word = rest[..end].to_ascii_lowercase();
    let others = [
        "", "where", "join", "left", "right", "inner", "cross", "natural", "order", "group",
        "having", "limit", "union", "on", "using", "for",
    ];
    !others.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<String> {
        rewrite(text, "instance-2", || "SELECT 1".to_owned())
    }

    #[test]
    fn what_has_nothing_of_aurora_passes_as_it_is() {
        for text in ["SELECT @@read_only", "SHOW GLOBAL VARIABLES LIKE 'version'", "", "COMMIT"] {
            assert_eq!(asked(text), None, "{text}");
        }
    }

    #[test]
    fn variables_are_what_aurora_says() {
        let text =
            "SELECT @@aurora_server_id AS name, @@Innodb_Read_Only, @@GLOBAL.innodb_read_only = 0";
        let expected = "SELECT 'instance-2' AS name, @@GLOBAL.read_only, @@GLOBAL.read_only = 0";
        assert_eq!(asked(text).as_deref(), Some(expected));
        let shown = asked("SHOW VARIABLES LIKE 'aurora_version'").unwrap_or_default();
        assert!(
            shown.ends_with("AS variables WHERE Variable_name LIKE 'aurora_version'"),
            "{shown}"
        );
        let shown =
            asked("SET x = 1; SHOW GLOBAL VARIABLES WHERE Variable_name IN ('aurora_version')");
        let shown = shown.unwrap_or_default();
        assert!(shown.starts_with("SET x = 1; SELECT Variable_name, Value FROM ("), "{shown}");
        assert!(
            shown.ends_with("AS variables WHERE Variable_name IN ('aurora_version')"),
            "{shown}"
        );
    }

    #[test]
    fn the_view_has_a_name_in_every_statement() {
        let with = |rest: &str| {
            asked(&format!("SELECT * FROM information_schema.replica_host_status{rest}"))
        };
        let named = "SELECT * FROM (SELECT 1) AS replica_host_status";
        assert_eq!(with("").as_deref(), Some(named));
        assert_eq!(with(" WHERE a = 1").as_deref(), Some(&*format!("{named} WHERE a = 1")));
        assert_eq!(with(" AS s ON TRUE").as_deref(), Some("SELECT * FROM (SELECT 1) AS s ON TRUE"));
        assert_eq!(with(" s").as_deref(), Some("SELECT * FROM (SELECT 1) s"));
    }
}
