//! Where each kind of statement runs.

use aurora_seaorm::{AuroraConnection, ConnectAurora as _};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, Database, EntityTrait, LoaderTrait, ModelTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set, Statement,
};

use crate::engine::BACKEND;
use crate::entities::{item, named, note};
use crate::stand::Stand;

/// One writer, one reader: what a work runs on them.
pub(crate) async fn on(stand: &Stand, work: impl Future<Output = ()>) -> (u64, u64) {
    let [writer, reader] = stand.counting::<2>(work).await;
    (writer, reader)
}

/// Ten reads, on the reader, of the items n1 to n25, each with a note about it; `next` has a parameter
/// and adds 1 to it.
pub(crate) async fn reads_of_every_shape(stand: &Stand, next: &str) {
    let ran = on(stand, async {
        reads(&stand.db).await;
        let next = Statement::from_sql_and_values(BACKEND, next, [41.into()]);
        let row = stand.db.query_one_raw(next).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i64>("", "next").unwrap(), 42);
    });
    assert_eq!(ran.await, (0, 10));
}

async fn reads(db: &AuroraConnection) {
    assert_eq!(db.get_database_backend(), BACKEND);
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
}

/// Six writes, the first into an empty table.
pub(crate) async fn writes_of_every_shape(db: &AuroraConnection) {
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
}

pub(crate) async fn one_line_connects(stand: &Stand) {
    let db = Database::connect_aurora(stand.kit.url()).await.unwrap();
    named("a").insert(&db).await.unwrap();
    assert_eq!(item::Entity::find().count(&db).await.unwrap(), 1);
    let wrong = stand.kit.url().replace(test_kit::PASSWORD, "wrong");
    let error = Database::connect_aurora(wrong).await.unwrap_err();
    let kind = aurora_seaorm::cause(&error).map(aurora_seaorm::Error::kind);
    assert_eq!(kind, Some(aurora_seaorm::ErrorKind::Authentication));
}
