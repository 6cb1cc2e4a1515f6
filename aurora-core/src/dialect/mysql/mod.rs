//! MySQL, MariaDB and what is made of them.

mod aurora;
mod errno;
mod gtid;
mod replicated;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use self::errno::{classify_errno, classify_trouble, ends_transaction, refuses_login};
use super::{Answer, Dialect, Garbage};
use crate::config::DialectChoice;

/// Asked once per monitoring connection: which server process is this, what kind of server, and
/// which of the variables that we ask for does it have?
///
/// * The process is told by its start, which is the time of the statement less `Uptime`: both are
///   whole seconds of the same clock. MariaDB keeps `Uptime` in another schema than MySQL; each
///   skips the other's comment (MySQL manual 9.7, MariaDB "Comment Syntax").
/// * A server that closes idle connections early must not close this one.
///
/// No privilege is needed. Sources: aurora.md 2.3 (`aurora_version`), 2.12 (`mariadb` in the
/// version).
pub(crate) const DETECT_SQL: &str = "\
SET SESSION wait_timeout = 28800;
SELECT CONCAT(@@hostname, ':', @@port, '/', @@server_id, '/', UNIX_TIMESTAMP() -
       (SELECT VARIABLE_VALUE FROM /*!50700 performance_schema.global_status */
               /*M! information_schema.GLOBAL_STATUS */ WHERE VARIABLE_NAME = 'Uptime')) AS server;
SHOW GLOBAL VARIABLES WHERE Variable_name IN ('aurora_version', 'group_replication_group_name',
       'innodb_read_only', 'read_only', 'super_read_only', 'transaction_read_only', 'tx_read_only',
       'version')";

/// What forbids writes on the whole server, where the server has it. `transaction_read_only` is
/// what sessions begin with (`tx_read_only` in MariaDB before 11.1).
const SWITCHES: [&str; 5] =
    ["read_only", "super_read_only", "innodb_read_only", "transaction_read_only", "tx_read_only"];

/// The variables of a server by their names.
type Variables = BTreeMap<String, String>;

/// Picks the dialect from the answer to [`DETECT_SQL`], or the one the user chose.
pub(crate) fn detect(choice: DialectChoice, answer: &Answer) -> Result<Box<dyn Dialect>, Garbage> {
    let server = answer.only_row()?.shared("server")?;
    let server = server.ok_or_else(|| Garbage("the server has no start time".to_owned()))?;
    let variables = variables(answer)?;
    let version = variables.get("version").map_or("", String::as_str);
    let is_mariadb = version.to_ascii_lowercase().contains("mariadb");
    let replicated = |is_mariadb, alone| -> Box<dyn Dialect> {
        if is_mariadb {
            Box::new(replicated::mariadb(server.clone(), &variables, alone))
        } else {
            Box::new(replicated::mysql(server.clone(), &variables, version, alone))
        }
    };
    Ok(match choice {
        DialectChoice::AuroraMySql => Box::new(aurora::AuroraMySql::new(server.clone())),
        DialectChoice::Auto if variables.contains_key("aurora_version") => {
            Box::new(aurora::AuroraMySql::new(server.clone()))
        }
        DialectChoice::Auto => replicated(is_mariadb, false),
        DialectChoice::MariaDb => replicated(true, false),
        DialectChoice::MySql => replicated(false, false),
        DialectChoice::Single => replicated(is_mariadb, true),
        // The configuration has refused them.
        DialectChoice::AuroraPostgres | DialectChoice::Postgres => {
            return Err(Garbage("the dialect is not one of MySQL".to_owned()));
        }
    })
}

fn variables(answer: &Answer) -> Result<Variables, Garbage> {
    let missing = || Garbage("the server does not list its variables".to_owned());
    let listed = answer.others.first().ok_or_else(missing)?;
    let pairs = listed.rows().map(|row| {
        let (name, value) = (row.text("Variable_name")?, row.text("Value")?);
        Ok((name.unwrap_or_default().to_ascii_lowercase(), value.unwrap_or_default().to_owned()))
    });
    pairs.collect()
}

/// An expression that lists the present state of every switch that forbids writes.
fn switches(variables: &Variables) -> String {
    let present = SWITCHES.iter().filter(|name| variables.contains_key(**name));
    let values: Vec<String> = present.map(|name| format!("@@GLOBAL.{name}")).collect();
    // Never empty: every server has `read_only`.
    format!("CONCAT_WS(',', {})", values.join(", "))
}

/// Whether no switch of [`switches`] forbids writes.
fn accepts_writes(states: Option<&str>) -> Result<bool, Garbage> {
    let states =
        states.ok_or_else(|| Garbage("it does not say whether it is read-only".to_owned()))?;
    if states.is_empty() {
        return Err(Garbage("it does not say whether it is read-only".to_owned()));
    }
    Ok(states.split(',').all(|state| state == "0" || state.eq_ignore_ascii_case("off")))
}

/// One run of one server process.
type Process = Arc<str>;
