//! The fault catalogue: every fault this software has to survive, and the tests that inject it.

use std::time::Duration;

/// The adapters, by the names of their doors in `tests/src/doors/`.
pub(crate) const ADAPTERS: [&str; 4] = ["diesel_r2d2", "bb8", "deadpool", "seaorm"];
/// The filter of nextest for all trials.
pub(super) const TRIALS: &str = "binary_id(aurora-tests::it) & test(/^faults::/)";
/// The adapter that meets every fault in the tests of every change.
const FIRST: &str = "bb8";
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
        Self { id, name, injected, outage: None, proofs: [Some(proof), None, None] }
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

    /// Whether no adapter has to do with it.
    pub(crate) fn is_core(&self) -> bool {
        self.proofs().all(|proof| matches!(proof, Proof::Core(_)))
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
    pub(crate) fn trials(&self, adapter: &str) -> Vec<&'static str> {
        let trials = self.proofs().filter_map(|proof| match proof {
            Proof::Trial { test, adapters, .. } if adapters.contains(&adapter) => Some(*test),
            _ => None,
        });
        trials.collect()
    }

    /// The tests of one adapter, or of none (`None`), as nextest calls them.
    pub(crate) fn tests(&self, adapter: Option<&str>) -> Vec<String> {
        let Some(door) = adapter else {
            return if self.is_core() { self.core_tests() } else { Vec::new() };
        };
        let named = |test: &&'static str| (*test).to_owned();
        let of_adapter = |proof: &Proof| match proof {
            Proof::Trial { test, adapters, .. } if adapters.contains(&door) => {
                vec![format!("aurora-tests::it$faults::{test}::{door}")]
            }
            Proof::Scenarios { tests, adapters } if adapters.contains(&door) => {
                let names = tests.iter();
                names.map(|name| format!("aurora-tests::it$scenarios::{door}::{name}")).collect()
            }
            Proof::Tests { tests, adapters } if adapters.contains(&door) => {
                tests.iter().map(named).collect()
            }
            _ => Vec::new(),
        };
        let mut tests: Vec<_> = self.proofs().flat_map(of_adapter).collect();
        if !tests.is_empty() {
            tests.extend(self.core_tests());
        }
        tests
    }

    fn core_tests(&self) -> Vec<String> {
        let core = self.proofs().filter_map(|proof| match proof {
            Proof::Core(tests) => Some(*tests),
            _ => None,
        });
        core.flatten().map(|test| (*test).to_owned()).collect()
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
    let first = format!("test(/^faults::\\w+::{FIRST}$/)");
    format!("not ({TRIALS}) or {first} or test(/^faults::({always})::/)")
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn every_fault_has_tests() {
        for fault in all() {
            let adapters = ADAPTERS.iter().flat_map(|adapter| fault.tests(Some(adapter)));
            let tests = adapters.chain(fault.tests(None)).count();
            assert!(tests > 0, "{fault:?}");
            assert!(!fault.name.is_empty() && !fault.injected.is_empty(), "{fault:?}");
        }
    }

    #[test]
    fn a_trial_has_the_number_of_a_fault_that_it_shows() {
        let shows = |fault: &Fault, trial: &str| {
            ADAPTERS.iter().any(|adapter| fault.trials(adapter).contains(&trial))
        };
        for test in all().flat_map(|fault| ADAPTERS.map(|adapter| fault.trials(adapter)).concat()) {
            let owner = all().find(|fault| shows(fault, test)).map(|fault| fault.id);
            let number = test.split('_').next().map(str::to_uppercase);
            assert_eq!(owner, number.as_deref(), "{test}");
        }
    }
}
