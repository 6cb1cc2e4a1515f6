use super::*;
use crate::asynchronous::manager::AuroraConnectionManager;
#[cfg(feature = "async-postgres")]
use crate::asynchronous::statement::Statement;

#[test]
fn sessions_move_between_threads_as_connections_of_diesel_async_do() {
    fn moves<T: Send + Sync + 'static>() -> &'static str {
        std::any::type_name::<T>()
    }
    #[cfg(feature = "async-postgres")]
    assert_ne!(moves::<AuroraConnection>(), moves::<AuroraConnectionManager>());
    #[cfg(feature = "async-mysql")]
    assert_ne!(
        moves::<AuroraConnection<diesel_async::AsyncMysqlConnection>>(),
        moves::<AuroraConnectionManager<diesel_async::AsyncMysqlConnection>>()
    );
}

/// glibc's malloc serves up to 1032 bytes from what the thread itself has freed: what is larger
/// costs several times as much, with every statement.
#[cfg(feature = "async-postgres")]
#[test]
fn the_future_of_a_statement_is_cheap_to_allocate() {
    fn size<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }
    let run = size(|session: &'static mut AuroraConnection, statement| session.run(statement));
    let all = run + size_of::<Statement<'_, AsyncPgConnection>>() + size_of::<[usize; 8]>();
    assert!(all <= 1032, "{all}");
}
