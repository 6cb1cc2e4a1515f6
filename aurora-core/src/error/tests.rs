use super::*;

#[test]
fn a_lost_connection_is_unknown_and_retried_only_if_idempotent() {
    let error = Error::new(ErrorKind::ConnectionLost, "gone").on("n1");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(error.retry(), Retry::IfIdempotent);
    assert_eq!(error.to_string(), "gone (instance n1)");
}

#[test]
fn an_outcome_that_is_known_wins_over_the_kind() {
    let error = Error::new(ErrorKind::ConnectionLost, "").with_outcome(Outcome::NotApplied);
    assert_eq!(error.retry(), Retry::AfterTopologyChange);
    assert_eq!(error.to_string(), "the connection was lost");
}

#[test]
fn wrong_credentials_are_never_retried() {
    assert_eq!(Error::new(ErrorKind::Authentication, "").retry(), Retry::Never);
}
