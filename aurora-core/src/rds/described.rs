//! What was told of the instances and the custom endpoints, as a value; no clock, no I/O.

#![cfg_attr(
    not(any(feature = "rds-api", test)),
    expect(dead_code, reason = "without the API nothing is ever told")
)]

use std::sync::Arc;

use crate::config::Address;
use crate::topology::InstanceId;

/// What the API told last; empty before it told anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) instances: Vec<DescribedInstance>,
    /// Who belongs to each of the custom endpoints that the URL names; empty is no restriction.
    pub(crate) endpoints: Vec<Members>,
}

/// One instance, as the API knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DescribedInstance {
    /// Its identifier, in which case does not count.
    pub(crate) id: String,
    /// Where it is; none while it is being created.
    pub(crate) address: Option<Address>,
    pub(crate) details: Arc<Details>,
}

/// What only the API knows of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) availability_zone: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) promotion_tier: Option<u8>,
    pub(crate) status: Option<String>,
}

/// Who belongs to a custom endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// All, also those that are added later, but these.
    AllBut(Vec<String>),
    /// These, and nobody who is added later.
    Only(Vec<String>),
}

impl Members {
    /// Out of the two lists of the API, of which at most one is filled. Source: RDS API reference,
    /// DBClusterEndpoint.
    pub(crate) fn new(statically: &[String], excluded: &[String]) -> Self {
        if statically.is_empty() {
            Self::AllBut(excluded.to_vec())
        } else {
            Self::Only(statically.to_vec())
        }
    }

    fn admits(&self, id: &str) -> bool {
        let names = |list: &[String]| list.iter().any(|name| name.eq_ignore_ascii_case(id));
        match self {
            Self::AllBut(list) => !names(list),
            Self::Only(list) => names(list),
        }
    }
}

impl Described {
    /// What was told of an instance.
    pub(crate) fn details(&self, id: &InstanceId, address: &Address) -> Option<&Arc<Details>> {
        self.find(id, address).map(|found| &found.details)
    }

    /// Whether an instance may serve the reads of this cluster's pools: it belongs to one of the
    /// custom endpoints, or there are none.
    pub(crate) fn admits(&self, id: &InstanceId, address: &Address) -> bool {
        let name = self.find(id, address).map_or(id.as_str(), |found| &found.id);
        self.endpoints.is_empty() || self.endpoints.iter().any(|members| members.admits(name))
    }

    /// Aurora's instances know their identifier; others are known by their address.
    fn find(&self, id: &InstanceId, address: &Address) -> Option<&DescribedInstance> {
        let by_name = self.instances.iter().find(|told| told.id.eq_ignore_ascii_case(id.as_str()));
        let is_there = |told: &&DescribedInstance| {
            told.address.as_ref().is_some_and(|known| {
                known.port() == address.port() && known.host().eq_ignore_ascii_case(address.host())
            })
        };
        by_name.or_else(|| self.instances.iter().find(is_there))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str, host: &str) -> DescribedInstance {
        let class = Some(format!("class of {id}"));
        DescribedInstance {
            id: id.to_owned(),
            address: Some(Address::new(host, 5432)),
            details: Arc::new(Details { class, ..Details::default() }),
        }
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_instance_is_found_by_its_identifier_or_else_by_its_address() {
        let described = Described {
            instances: vec![told("a", "a.example.com"), told("b", "b.example.com")],
            endpoints: Vec::new(),
        };
        let class = |id: &str, host: &str, port| {
            let details = described.details(&id.into(), &Address::new(host, port))?;
            details.class.clone()
        };
        assert_eq!(class("B", "elsewhere", 1).as_deref(), Some("class of b"));
        assert_eq!(class("x", "A.example.com", 5432).as_deref(), Some("class of a"));
        assert_eq!(class("x", "a.example.com", 5433), None);
        assert_eq!(class("x", "elsewhere", 5432), None);
    }

    #[test]
    fn a_static_list_admits_its_members_and_an_exclusion_list_all_others() {
        let admits = |endpoints: &[Members], id: &str| {
            let described =
                Described { instances: vec![told("c", "c.rds")], endpoints: endpoints.to_vec() };
            described.admits(&id.into(), &Address::new("c.rds", 5432))
        };
        let only = Members::new(&names(&["a", "c"]), &[]);
        let but = Members::new(&[], &names(&["A", "c"]));
        let all = Members::new(&[], &[]);
        assert!(admits(&[], "a"), "no endpoint restricts nothing");
        assert!(admits(std::slice::from_ref(&only), "A"));
        assert!(admits(std::slice::from_ref(&only), "c.rds:5432"), "known by its address");
        assert!(!admits(std::slice::from_ref(&but), "a"));
        assert!(!admits(std::slice::from_ref(&but), "c.rds:5432"), "known by its address");
        assert!(admits(&[all], "c.rds:5432"));
        assert!(admits(&[but, only], "a"), "one of several is enough");
    }

    #[test]
    fn only_those_of_the_static_list_are_admitted() {
        let only = Members::Only(names(&["a"]));
        let described = Described { instances: Vec::new(), endpoints: vec![only] };
        let admits = |id: &str| described.admits(&id.into(), &Address::new("h", 1));
        assert!(admits("a") && !admits("b"));
    }
}
