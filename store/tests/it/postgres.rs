use std::time::Duration;

use chrono::Utc;
use sl_store::{
    Batch, Entity as _, Filter, Query,
    testing::{
        conformance::{Part, Subject, Thing},
        postgres::{Database, differences},
    },
};
use uuid::Uuid;

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

#[tokio::test]
async fn an_index_over_some_words_serves_whoever_asks_for_those() {
    let database = Database::fresh().await;
    database.create(&[Thing::TABLE]).await;
    let admin = database.admin().await;
    admin
        .run("CREATE INDEX some_words ON conformance_things (account_id, id) WHERE color IN ('red', 'green')")
        .await;
    admin.run("CREATE INDEX the_ready ON conformance_things (account_id, id) WHERE ready").await;
    let (store, account) = (database.store().await, Uuid::from_u128(1));
    for id in 0..300 {
        let (color, ready) = if id == 7 { ("red", true) } else { ("blue", false) };
        let thing = Thing {
            color: Some(color.to_owned()),
            ready,
            ..Thing::new(account, Uuid::from_u128(id), Utc::now(), &id.to_string())
        };
        store.commit(Batch::new().insert(&thing).clone()).await.unwrap();
    }
    admin.run("ANALYZE conformance_things").await;
    for asked in [
        Query::of(account).equal("color", "red"),
        Query::of(account).filter(Filter::In("color", vec!["red".into(), "green".into()])),
        Query::of(account).equal("ready", true),
    ] {
        assert_eq!(store.list::<Thing>(asked).await.unwrap().len(), 1);
    }
    drop(store);
    let scans =
        |index: &str| format!("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = '{index}'");
    for (index, times) in [("some_words", 2), ("the_ready", 1)] {
        while admin.number(&scans(index)).await < times {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
