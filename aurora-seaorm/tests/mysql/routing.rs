//! Where each kind of statement runs.

use aurora_seaorm::ConnectAurora as _;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, Database, DbBackend, EntityTrait, LoaderTrait,
    ModelTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set, Statement,
};

use crate::entities::{item, named, note};
use crate::stand::{Stand, one};

/// One writer, one reader: what a work runs on them.
async fn on(stand: &Stand, work: impl Future<Output = ()>) -> (u64, u64) {
    let [writer, reader] = stand.counting::<2>(work).await;
    (writer, reader)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_every_shape_run_on_the_reader() {
    let stand = Stand::new(2).await;
    stand
        .seed(
            "INSERT INTO items (name) SELECT CONCAT('n', seq) FROM seq_1_to_25;
             INSERT INTO notes (item_id, text) SELECT id, CONCAT('about ', name) FROM items",
        )
        .await;
    let db = &stand.db;
    assert_eq!(db.get_database_backend(), DbBackend::MySql);
    let ran = on(&stand, async {
        let all = item::Entity::find().all(db).await.unwrap();
        assert_eq!(all.len(), 25);
        let one = item::Entity::find_by_id(7).one(db).await.unwrap().unwrap();
        assert_eq!(one.name, "n7");
        let notes = one.find_related(note::Entity).all(db).await.unwrap();
        assert_eq!(notes[0].text, "about n7");
        let loaded = all.load_many(note::Entity, db).await.unwrap();
        assert!(loaded.iter().all(|notes| notes.len() == 1));
        let both = item::Entity::find().find_also_related(note::Entity).all(db).await.unwrap();
        assert_eq!(both.len(), 25);
        let pages = item::Entity::find().order_by_asc(item::Column::Id).paginate(db, 10);
        assert_eq!(pages.num_items().await.unwrap(), 25);
        assert_eq!(pages.fetch_page(2).await.unwrap().len(), 5);
        assert_eq!(item::Entity::find().count(db).await.unwrap(), 25);
        let cursor = item::Entity::find().cursor_by(item::Column::Id).first(3).all(db).await;
        assert_eq!(cursor.unwrap().len(), 3);
        let raw = Statement::from_sql_and_values(
            DbBackend::MySql,
            "SELECT CAST(? + 1 AS SIGNED) AS next",
            [41.into()],
        );
        let row = db.query_one_raw(raw).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i64>("", "next").unwrap(), 42);
    })
    .await;
    assert_eq!(ran, (0, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_of_every_shape_run_on_the_writer() {
    let stand = Stand::new(2).await;
    let db = &stand.db;
    let ran = on(&stand, async {
        let inserted = item::Entity::insert(named("a")).exec(db).await.unwrap();
        assert_eq!(inserted.last_insert_id, 1);
        let many = [named("b"), named("c"), named("d")];
        item::Entity::insert_many(many).exec(db).await.unwrap();
        let upsert = item::ActiveModel { id: Set(1), name: Set("A".to_owned()) };
        let on_conflict =
            OnConflict::column(item::Column::Id).update_column(item::Column::Name).to_owned();
        item::Entity::insert(upsert).on_conflict(on_conflict).exec(db).await.unwrap();
        let updated = item::Entity::update_many()
            .col_expr(item::Column::Name, Expr::value("B"))
            .filter(item::Column::Name.eq("b"))
            .exec(db)
            .await
            .unwrap();
        assert_eq!(updated.rows_affected, 1);
        let locked = item::Entity::find_by_id(2).lock_exclusive().one(db).await.unwrap();
        assert_eq!(locked.unwrap().name, "B");
        let deleted =
            item::Entity::delete_many().filter(item::Column::Id.gt(2)).exec(db).await.unwrap();
        assert_eq!(deleted.rows_affected, 2);
        let returned: i32 = one(db, "INSERT INTO items (name) VALUES ('e') RETURNING id").await;
        assert!(returned > 4);
    })
    .await;
    assert_eq!(ran, (7, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_writes_is_found_out_and_remembered() {
    let stand = Stand::new(2).await;
    let function = "CREATE FUNCTION make() RETURNS INT DETERMINISTIC SQL SECURITY INVOKER \
                    BEGIN INSERT INTO items (name) VALUES ('made'); RETURN 1; END";
    stand.seed(function).await;
    // The reader is asked once, and refuses.
    for expected in [(1, 1), (1, 0)] {
        let ran = on(&stand, async {
            assert_eq!(one::<i32>(&stand.db, "SELECT make()").await, 1);
        });
        assert_eq!(ran.await, expected);
    }
    assert_eq!(stand.ask(0, "SELECT COUNT(*) FROM items").await, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_line_connects() {
    let stand = Stand::new(2).await;
    let db = Database::connect_aurora(stand.kit.url()).await.unwrap();
    named("a").insert(&db).await.unwrap();
    assert_eq!(item::Entity::find().count(&db).await.unwrap(), 1);
    let wrong = stand.kit.url().replace(test_kit::PASSWORD, "wrong");
    let error = Database::connect_aurora(wrong).await.unwrap_err();
    let kind = aurora_seaorm::cause(&error).map(aurora_seaorm::Error::kind);
    assert_eq!(kind, Some(aurora_seaorm::ErrorKind::Authentication));
}
