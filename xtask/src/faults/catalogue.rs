//! The fault catalogue: every fault this software has to survive, and the tests that inject it.

use std::time::Duration;

pub(crate) use super::engine::Engine;

/// The adapters, by the names of their doors to PostgreSQL in `tests/src/doors/`.
pub(crate) const ADAPTERS: [&str; 4] = ["diesel_r2d2", "bb8", "deadpool", "seaorm"];
/// The adapter that meets every fault in the tests of every change.
const FIRST: &str = "bb8";
/// Tests that need no servers.
const PURE: &str = "aurora-core$";
/// Those of diesel-async.
pub(super) const DIESEL_ASYNC: &[&str] = &["bb8", "deadpool"];
/// Those whose operations are futures, which can be dropped.
pub(super) const ASYNCHRONOUS: &[&str] = &["bb8", "deadpool", "seaorm"];

/// A fault of the catalogue.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Its number.
    pub(crate) id: &'static str,
    /// What it is.
    pub(crate) name: &'static str,
    /// How it is brought about.
    pub(crate) injected: &'static str,
    /// How long nobody may be able to write, where somebody else can take over at once.
    pub(crate) outage: Option<Duration>,
    /// At least one.
    pub(crate) proofs: [Option<Proof>; 3],
    /// What is different on MySQL.
    pub(crate) mysql: OnMysql,
}

/// What is different on MySQL: there the trials, the scenarios and the tests that need no servers
/// are the same.
#[derive(Debug)]
pub(crate) struct OnMysql {
    /// Why it cannot happen there, or has nothing to do with the engine.
    pub(crate) never: Option<&'static str>,
    /// How it is brought about, if in another way.
    pub(crate) injected: Option<&'static str>,
    /// The adapters whose trials there are.
    pub(crate) adapters: &'static [&'static str],
    /// Tests and tests of the core.
    pub(crate) proofs: &'static [Proof],
}

/// What shows that a fault is survived.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proof {
    /// A test of each of these adapters, in the module of this name below `faults`.
    Trial { test: &'static str, adapters: &'static [&'static str], often: Often },
    /// Scenarios of each of these adapters.
    Scenarios { tests: &'static [&'static str], adapters: &'static [&'static str] },
    /// Other tests of these adapters by binary and name, `aurora-seaorm::seaorm$storms::...`.
    Tests { tests: &'static [&'static str], adapters: &'static [&'static str] },
    /// What no adapter has to do with: tests by binary and name, `aurora-core$engine::tests::...`.
    Core(&'static [&'static str]),
}

/// How often a trial is run with all its adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Often {
    /// With every change.
    Always,
    /// By `cargo xtask faults`; with every change, one adapter is run.
    Asked,
}

impl Fault {
    pub(super) const fn new(
        id: &'static str,
        name: &'static str,
        injected: &'static str,
        proof: Proof,
    ) -> Self {
        let mysql = OnMysql { never: None, injected: None, adapters: &ADAPTERS, proofs: &[] };
        Self { id, name, injected, outage: None, proofs: [Some(proof), None, None], mysql }
    }

    /// It is not for MySQL, because of this.
    pub(super) const fn never_on_mysql(mut self, reason: &'static str) -> Self {
        self.mysql.never = Some(reason);
        self
    }

    /// It is brought about in another way on MySQL.
    pub(super) const fn on_mysql_by(mut self, injected: &'static str) -> Self {
        self.mysql.injected = Some(injected);
        self
    }

    /// Only these adapters have trials of it on MySQL.
    pub(super) const fn on_mysql_with(mut self, adapters: &'static [&'static str]) -> Self {
        self.mysql.adapters = adapters;
        self
    }

    /// These as well show it on MySQL.
    pub(super) const fn on_mysql(mut self, proofs: &'static [Proof]) -> Self {
        self.mysql.proofs = proofs;
        self
    }

    /// One more proof, of three at most.
    pub(super) const fn and(mut self, proof: Proof) -> Self {
        let place = if self.proofs[1].is_none() { 1 } else { 2 };
        self.proofs[place] = Some(proof);
        self
    }

    pub(super) const fn within(self, outage: Duration) -> Self {
        Self { outage: Some(outage), ..self }
    }

    /// Each of its proofs.
    pub(crate) fn proofs(&self) -> impl Iterator<Item = &Proof> {
        self.proofs.iter().flatten()
    }

    /// Those that count on servers of this engine.
    fn proofs_on(&self, engine: Engine) -> Vec<&Proof> {
        if engine == Engine::Postgres {
            return self.proofs().collect();
        }
        if self.mysql.never.is_some() {
            return Vec::new();
        }
        let same = |proof: &&Proof| match proof {
            Proof::Trial { .. } | Proof::Scenarios { .. } => true,
            Proof::Core(tests) => tests.iter().any(|test| test.starts_with(PURE)),
            Proof::Tests { .. } => false,
        };
        self.proofs().filter(same).chain(self.mysql.proofs).collect()
    }

    /// Whether no adapter has to do with it.
    pub(crate) fn is_core(&self, engine: Engine) -> bool {
        let proofs = self.proofs_on(engine);
        !proofs.is_empty() && proofs.iter().all(|proof| matches!(proof, Proof::Core(_)))
    }

    /// How it is brought about.
    pub(crate) fn injected(&self, engine: Engine) -> &'static str {
        self.mysql.injected.filter(|_| engine == Engine::Mysql).unwrap_or(self.injected)
    }

    /// Which adapters meet it in the tests of every change.
    pub(crate) fn with_every_change(&self) -> &'static str {
        let trials = |wanted: Often| {
            let is_one =
                |proof: &Proof| matches!(proof, Proof::Trial { often, .. } if *often == wanted);
            self.proofs().any(is_one)
        };
        match (trials(Often::Asked), trials(Often::Always)) {
            (true, false) => FIRST,
            (true, true) => "all; other ways: bb8",
            (false, _) => "all",
        }
    }

    /// The trials of one adapter, by the names of their modules.
    pub(crate) fn trials(&self, engine: Engine, adapter: &str) -> Vec<&'static str> {
        let all = engine == Engine::Postgres || self.mysql.adapters.contains(&adapter);
        let trials = self.proofs_on(engine).into_iter().filter_map(|proof| match proof {
            Proof::Trial { test, adapters, .. } if all && adapters.contains(&adapter) => {
                Some(*test)
            }
            _ => None,
        });
        trials.collect()
    }

    /// The tests of one adapter, or of none (`None`), as nextest calls them.
    pub(crate) fn tests(&self, engine: Engine, adapter: Option<&str>) -> Vec<String> {
        let Some(adapter) = adapter else {
            return if self.is_core(engine) { self.core_tests(engine) } else { Vec::new() };
        };
        let door = engine.door(adapter);
        let trials = self.trials(engine, adapter).into_iter();
        let mut found: Vec<_> =
            trials.map(|test| format!("aurora-tests::it$faults::{test}::{door}")).collect();
        let others = self.proofs_on(engine).into_iter().flat_map(|proof| match proof {
            Proof::Scenarios { tests, adapters } if adapters.contains(&adapter) => {
                let names = tests.iter();
                names.map(|name| format!("aurora-tests::it$scenarios::{door}::{name}")).collect()
            }
            Proof::Tests { tests, adapters } if adapters.contains(&adapter) => {
                tests.iter().map(|test| (*test).to_owned()).collect()
            }
            _ => Vec::new(),
        });
        found.extend(others);
        if !found.is_empty() {
            found.extend(self.core_tests(engine));
        }
        found
    }

    fn core_tests(&self, engine: Engine) -> Vec<String> {
        let mut found = Vec::new();
        for proof in self.proofs_on(engine) {
            let Proof::Core(tests) = proof else { continue };
            let of_mysql = self.mysql.proofs.iter().any(|own| std::ptr::eq(own, proof));
            let counts =
                |test: &&&str| engine == Engine::Postgres || of_mysql || test.starts_with(PURE);
            found.extend(tests.iter().filter(counts).map(|test| (*test).to_owned()));
        }
        found
    }
}

/// All faults in order.
pub(crate) fn all() -> impl Iterator<Item = &'static Fault> {
    super::rows::ROWS.iter().copied().flatten()
}

/// The filter of nextest for the tests of every change: of most faults, one adapter.
pub(crate) fn filter_for_every_change() -> String {
    let always = all().flat_map(Fault::proofs).filter_map(|proof| match proof {
        Proof::Trial { test, often: Often::Always, .. } => Some(*test),
        _ => None,
    });
    let always: Vec<_> = always.collect();
    let always = always.join("|");
    let first = format!("test(/^faults::\\w+::(mysql_)?{FIRST}$/)");
    let trials = [Engine::Postgres, Engine::Mysql].map(|engine| format!("({})", engine.trials()));
    format!("not ({}) or {first} or test(/^faults::({always})::/)", trials.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINES: [Engine; 2] = [Engine::Postgres, Engine::Mysql];

    /// How many faults each part of the catalogue has.
    const PARTS: [(char, usize); 9] = [
        ('A', 8),
        ('B', 11),
        ('C', 6),
        ('D', 10),
        ('E', 4),
        ('F', 6),
        ('G', 7),
        ('H', 5),
        ('I', 3),
    ];

    #[test]
    fn every_fault_of_the_catalogue_is_there_once_and_in_order() {
        let expected = PARTS
            .into_iter()
            .flat_map(|(part, count)| (1..=count).map(move |number| format!("{part}{number}")));
        let found = all().map(|fault| fault.id);
        assert!(expected.eq(found), "{:?}", all().map(|fault| fault.id).collect::<Vec<_>>());
    }

    #[test]
    fn every_fault_has_tests_or_a_reason() {
        for (fault, engine) in all().flat_map(|fault| ENGINES.map(|engine| (fault, engine))) {
            let adapters = ADAPTERS.iter().flat_map(|adapter| fault.tests(engine, Some(adapter)));
            let tests = adapters.chain(fault.tests(engine, None)).count();
            let never = engine == Engine::Mysql && fault.mysql.never.is_some();
            assert_eq!(tests == 0, never, "{engine:?}: {fault:?}");
            assert!(!fault.name.is_empty() && !fault.injected(engine).is_empty(), "{fault:?}");
        }
    }

    #[test]
    fn a_trial_has_the_number_of_a_fault_that_it_shows() {
        for engine in ENGINES {
            let trials =
                |fault: &Fault| ADAPTERS.map(|adapter| fault.trials(engine, adapter)).concat();
            for test in all().flat_map(trials) {
                let owner = all().find(|fault| trials(fault).contains(&test)).map(|fault| fault.id);
                let number = test.split('_').next().map(str::to_uppercase);
                assert_eq!(owner, number.as_deref(), "{test}");
            }
        }
    }
}
