//! Where each kind of statement runs.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, LoaderTrait, ModelTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set, Statement,
};

use crate::entities::{item, named, note};
use crate::stand::Stand;

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
            "INSERT INTO items (name) SELECT 'n' || i FROM generate_series(1, 25) i;
             INSERT INTO notes (item_id, text) SELECT id, 'about ' || name FROM items",
        )
        .await;
    let db = &stand.db;
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
            DbBackend::Postgres,
            "SELECT $1::int + 1 AS next",
            [41.into()],
        );
        let row = db.query_one_raw(raw).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i32>("", "next").unwrap(), 42);
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
        db.execute_unprepared("WITH d AS (DELETE FROM items RETURNING *) SELECT * FROM d")
            .await
            .unwrap();
    })
    .await;
    assert_eq!(ran, (7, 0));
}
