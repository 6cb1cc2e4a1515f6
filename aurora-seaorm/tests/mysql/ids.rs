//! Numbers that the server gives to new rows.

use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Set, TransactionTrait};

use crate::entities::{item, named, note};
use crate::stand::{Stand, one};

const LAST: &str = "SELECT CAST(LAST_INSERT_ID() AS SIGNED)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_made_read_changed_and_removed_by_their_numbers() {
    let stand = Stand::new(3).await;
    // Readers that are behind must not be asked for what was just written.
    for reader in [1, 2] {
        stand.verb(move |kit| kit.pause_replay(reader)).await;
    }
    let made = named("a").insert(&stand.db).await.unwrap();
    assert_eq!((made.id, made.name.as_str()), (1, "a"));
    let mut change: item::ActiveModel = made.into();
    change.name = Set("b".to_owned());
    assert_eq!(change.update(&stand.db).await.unwrap().name, "b");
    let saved = named("c").save(&stand.db).await.unwrap();
    assert_eq!(saved.id.unwrap(), 2);
    let many = item::Entity::insert_many([named("d"), named("e")]).exec(&stand.db).await.unwrap();
    assert_eq!(many.last_insert_id, Some(3), "the first of them");
    item::Entity::delete_by_id(1).exec(&stand.db).await.unwrap();
    assert_eq!(item::Entity::find_by_id(1).one(&stand.db).await.unwrap(), None);
    for reader in [1, 2] {
        assert_eq!(stand.ask(reader, "SELECT COUNT(*) FROM items").await, "0", "it was behind");
        stand.verb(move |kit| kit.resume_replay(reader)).await;
    }
}

/// Others insert on the same connections in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_finds_the_number_of_its_own_last_row() {
    let stand = Stand::new(2).await;
    let tasks: Vec<_> = (0..8)
        .map(|index| {
            let db = if index % 2 == 0 { stand.db.session() } else { stand.db.clone() };
            tokio::spawn(async move {
                assert_eq!(one::<i64>(&db, LAST).await, 0, "nothing was inserted yet");
                for _ in 0..25 {
                    let made = item::Entity::insert(named("a")).exec(&db).await.unwrap();
                    let about = "INSERT INTO notes (item_id, text) VALUES (LAST_INSERT_ID(), 'n')";
                    let about = db.execute_unprepared(about).await.unwrap();
                    let id = i64::try_from(about.last_insert_id()).unwrap();
                    assert_eq!(one::<i64>(&db, LAST).await, id);
                    assert_eq!(one::<i64>(&db, "SELECT CAST(@@identity AS SIGNED)").await, id);
                    let found = note::Entity::find_by_id(i32::try_from(id).unwrap());
                    let found = found.one(&db).await.unwrap().unwrap();
                    assert_eq!(found.item_id, made.last_insert_id);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_is_known_in_transactions_and_after_a_failover() {
    let stand = Stand::new(2).await;
    let session = stand.db.session();
    let first = item::Entity::insert(named("a")).exec(&session).await.unwrap().last_insert_id;
    item::Entity::insert(named("other")).exec(&stand.db).await.unwrap();
    let txn = session.begin().await.unwrap();
    assert_eq!(one::<i64>(&txn, LAST).await, i64::from(first));
    let second = item::Entity::insert(named("b")).exec(&txn).await.unwrap().last_insert_id;
    assert_eq!(one::<i64>(&txn, LAST).await, i64::from(second));
    txn.commit().await.unwrap();
    stand.verb(|kit| kit.kill_and_promote(1)).await;
    assert_eq!(one::<i64>(&session, LAST).await, i64::from(second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_a_session_sets_by_itself_is_its_connection_s() {
    let stand = Stand::new(1).await;
    let session = stand.db.session();
    item::Entity::insert(named("a")).exec(&session).await.unwrap();
    one::<i64>(&session, "SELECT CAST(LAST_INSERT_ID(77) AS SIGNED)").await;
    assert_eq!(one::<i64>(&session, LAST).await, 77);
}
