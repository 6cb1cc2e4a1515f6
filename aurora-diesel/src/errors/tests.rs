use super::*;

fn plain(kind: DatabaseErrorKind) -> Error {
    Error::DatabaseError(kind, Box::new("server closed the connection\n".to_owned()))
}

#[test]
fn what_is_written_into_an_error_is_read_back() {
    let ids = InstanceId::from("10.0.0.1:5432");
    for known in [Outcome::Applied, Outcome::NotApplied, Outcome::Unknown] {
        let error = lost(&plain(DatabaseErrorKind::ClosedConnection), &ids, known);
        assert_eq!(outcome(&error), known);
        assert_eq!(instance(&error), Some("10.0.0.1:5432"));
        assert_eq!(retry(&error) == Retry::IfIdempotent, known == Outcome::Unknown);
    }
    let error = from_core(&aurora_core::Error::new(ErrorKind::NoWriter, "no writer"));
    assert_eq!((outcome(&error), instance(&error)), (Outcome::NotApplied, None));
    assert_eq!(retry(&error), Retry::AfterTopologyChange);
}

#[test]
fn a_message_is_one_line_and_names_the_remedy() {
    let error = lost(&plain(DatabaseErrorKind::ClosedConnection), &"a".into(), Outcome::Unknown);
    let Error::DatabaseError(_, information) = &error else { panic!("{error}") };
    assert_eq!(information.message(), "the connection to a was lost: server closed the connection");
    assert!(information.hint().unwrap().contains("idempotent"));
}

#[cfg(feature = "postgres")]
#[test]
fn a_broken_connection_is_lost_whatever_the_error_says() {
    assert_eq!(trouble(&plain(DatabaseErrorKind::Unknown), true), Trouble::Lost);
    assert_eq!(trouble(&plain(DatabaseErrorKind::Unknown), false), Trouble::Statement);
    assert_eq!(trouble(&plain(DatabaseErrorKind::UnableToSendCommand), true), Trouble::NotSent);
}
