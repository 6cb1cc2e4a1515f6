//! The servers that faults happen to.

use clap::ValueEnum;

/// The servers that a fault happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// PostgreSQL
    Postgres,
    /// MySQL, for which MariaDB stands
    Mysql,
}

impl Engine {
    /// The name of an adapter's door to such servers.
    pub(crate) fn door(self, adapter: &str) -> String {
        match self {
            Self::Postgres => adapter.to_owned(),
            Self::Mysql => format!("mysql_{}", adapter.strip_prefix("diesel_").unwrap_or(adapter)),
        }
    }

    /// The filter of nextest for all trials.
    pub(super) const fn trials(self) -> &'static str {
        match self {
            Self::Postgres => {
                "binary_id(aurora-tests::it) & test(/^faults::/) & not test(/::mysql_/)"
            }
            Self::Mysql => "binary_id(aurora-tests::it) & test(/^faults::.*::mysql_/)",
        }
    }

    /// As it is called.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
        }
    }

    /// Its servers, in the page's words.
    pub(super) const fn servers(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MariaDB",
        }
    }

    /// How it is asked for.
    pub(super) const fn option(self) -> &'static str {
        match self {
            Self::Postgres => "",
            Self::Mysql => " --engine mysql",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::ADAPTERS;
    use super::*;

    #[test]
    fn doors_have_the_names_of_their_modules() {
        assert_eq!(ADAPTERS.map(|adapter| Engine::Postgres.door(adapter)), ADAPTERS);
        let mysql = ["mysql_r2d2", "mysql_bb8", "mysql_deadpool", "mysql_seaorm"];
        assert_eq!(ADAPTERS.map(|adapter| Engine::Mysql.door(adapter)), mysql);
    }
}
