//! What became of a question to the API; pure.

use std::fmt;

use super::described::{Described, DescribedInstance, Members};

/// Why the API gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// It may pass by itself.
    Passing,
    /// Somebody has to change something.
    Refused,
    /// There were too many questions.
    Throttled,
}

impl Failure {
    pub(super) fn passing(what: impl Into<String>) -> Self {
        Self { kind: FailureKind::Passing, what: what.into() }
    }

    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self { kind: FailureKind::Refused, what: what.into() }
    }

    /// What a refusal of `operation` means. Sources: RDS API reference, "Common errors" and the
    /// errors of each operation; the throttling codes are those of the SDK's retry strategy.
    pub(super) fn of_code(operation: &str, code: &str, words: &str) -> Self {
        let (kind, remedy) = match code {
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "RequestLimitExceeded"
            | "SlowDown"
            | "TooManyRequestsException" => (FailureKind::Throttled, "; it is asked less often"),
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
                (FailureKind::Refused, "; allow rds:DescribeDB* to this process")
            }
            "DBClusterNotFoundFault" | "DBClusterEndpointNotFoundFault" => {
                (FailureKind::Refused, "; check the identifier, and the region")
            }
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "IncompleteSignature"
            | "OptInRequired"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => (
                FailureKind::Refused,
                "; check the AWS credentials, the region and the clock of this machine",
            ),
            // Internal errors, and what is not known.
            _ => (FailureKind::Passing, ""),
        };
        Self { kind, what: format!("{operation}: {words} ({code}){remedy}") }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// What the API told, each part for itself.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) endpoints: Result<Vec<Members>, Failure>,
    pub(super) instances: Result<Vec<DescribedInstance>, Failure>,
}

impl Told {
    /// A question that failed as a whole.
    pub(super) fn nothing(failure: Failure) -> Self {
        Self { endpoints: Err(failure.clone()), instances: Err(failure) }
    }

    /// What is known now: the last good answer stands where there is none. Of two failures that
    /// about the members of the endpoint is told, which decides something.
    pub(super) fn onto(self, known: &Described) -> (Described, Option<Failure>) {
        let mut next = known.clone();
        let mut keep = |endpoints| next.endpoints = endpoints;
        let first = self.endpoints.map(&mut keep).err();
        let second = self.instances.map(|instances| next.instances = instances).err();
        (next, first.or(second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_answer_stands_part_by_part() {
        let members = |name: &str| vec![Members::Only(vec![name.to_owned()])];
        let instance = |id: &str| DescribedInstance {
            id: id.to_owned(),
            address: None,
            details: std::sync::Arc::default(),
        };
        let known = Described { endpoints: members("a"), instances: vec![instance("a")] };
        let slow = || Failure::passing("slow");
        let (next, failure) = Told::nothing(slow()).onto(&known);
        assert_eq!((next, failure), (known.clone(), Some(slow())));

        let told = Told { endpoints: Ok(members("b")), instances: Err(slow()) };
        let (next, failure) = told.onto(&known);
        assert_eq!((&next.endpoints, &next.instances), (&members("b"), &known.instances));
        assert_eq!(failure, Some(slow()));

        let told = Told { endpoints: Err(slow()), instances: Ok(vec![instance("c")]) };
        let (next, failure) = told.onto(&known);
        assert_eq!(next.endpoints, known.endpoints);
        assert_eq!(next.instances, [instance("c")]);
        assert_eq!(failure, Some(slow()));
    }

    #[test]
    fn codes_tell_throttled_from_refused_from_passing() {
        let kind = |code: &str| Failure::of_code("DescribeDBInstances", code, "said it").kind;
        assert_eq!(kind("Throttling"), FailureKind::Throttled);
        assert_eq!(kind("AccessDenied"), FailureKind::Refused);
        assert_eq!(kind("DBClusterNotFoundFault"), FailureKind::Refused);
        assert_eq!(kind("InternalFailure"), FailureKind::Passing);
        let told = Failure::of_code("DescribeDBInstances", "AccessDenied", "no").to_string();
        assert!(told.contains("DescribeDBInstances: no (AccessDenied); allow rds:"), "{told}");
    }
}
