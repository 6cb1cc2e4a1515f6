//! Diesel's test transactions, which outlive check-in.

use aurora_tests::{Manager, Session};
use diesel::prelude::*;
use diesel::r2d2::{CustomizeConnection, Pool};

use super::{backend, count, insert, stand};

/// What Diesel's `TestCustomizer` does, for this manager.
#[derive(Debug)]
struct BeginTest;

impl CustomizeConnection<Session, aurora_core::Error> for BeginTest {
    fn on_acquire(&self, session: &mut Session) -> Result<(), aurora_core::Error> {
        session.begin_test_transaction().unwrap();
        Ok(())
    }
}

#[test]
fn a_test_transaction_survives_check_in_and_is_never_committed() {
    let stand = stand(2);
    let manager = Manager::new(stand.cluster.clone());
    let pool =
        Pool::builder().max_size(1).connection_customizer(Box::new(BeginTest)).build(manager);
    let pool = pool.unwrap();
    let pid = backend(&mut pool.get().unwrap());
    insert(&mut pool.get().unwrap(), "test").unwrap();
    let session = &mut pool.get().unwrap();
    assert_eq!((count(session, "test"), backend(session)), (1, pid));
    session.transaction(|session| insert(session, "nested")).unwrap();
    assert_eq!(count(session, "nested"), 1);
    assert_eq!(count(&mut stand.session(), "test"), 0);
    let seen = stand.session().on_writer(|session| QueryResult::Ok(count(session, "nested")));
    assert_eq!(seen, Ok(0));
}

#[test]
fn test_transaction_rolls_back_what_the_closure_did() {
    let stand = stand(2);
    let session = &mut stand.session();
    let inside = session.test_transaction(|session| {
        insert(session, "test")?;
        QueryResult::Ok(count(session, "test"))
    });
    assert_eq!(inside, 1);
    session.reset();
    assert_eq!(session.on_writer(|session| QueryResult::Ok(count(session, "test"))), Ok(0));
}
