use sl_store::{
    Entity as _,
    testing::{
        conformance::{Part, Subject, Thing},
        postgres::{Database, differences},
    },
};

async fn subject() -> Subject {
    let database = Database::fresh().await;
    database.create(&[Thing::TABLE, Part::TABLE]).await;
    let store = database.store().await;
    Subject::with_real_clock(store, database)
}

sl_store::conformance_suite!(subject);

#[tokio::test]
async fn tables_made_from_their_description_agree_with_it() {
    let database = Database::fresh().await;
    let tables = [Thing::TABLE, Part::TABLE];
    let admin = database.admin().await;
    assert!(!differences(&admin, &tables).await.is_empty(), "missing tables are noticed");
    database.create(&tables).await;
    assert_eq!(differences(&admin, &tables).await, Vec::<String>::new());
    for (change, told) in [
        ("ALTER TABLE conformance_parts ADD COLUMN more text", "more"),
        ("ALTER TABLE conformance_things ALTER COLUMN color SET NOT NULL", "color"),
        ("ALTER TABLE conformance_things ALTER COLUMN size TYPE integer", "size"),
        ("DROP INDEX conformance_things_slot", "conformance_things_slot"),
        ("CREATE UNIQUE INDEX extra ON conformance_things (account_id, size)", "extra"),
        ("ALTER TABLE conformance_parts DROP CONSTRAINT conformance_parts_pkey", "primary key"),
    ] {
        let before = differences(&admin, &tables).await;
        admin.run(change).await;
        let after = differences(&admin, &tables).await;
        let new: Vec<&String> = after.iter().filter(|difference| !before.contains(difference)).collect();
        assert!(new.len() == 1 && new[0].contains(told), "{change}: {new:?}");
    }
}
