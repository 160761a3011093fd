//! Sources that are removed while requests wait for them.

use serde_json::json;
use sl_actors::{
    pause::{NewPause, PauseWork, Target},
    resource::Remove,
    services::oracle::OracleSource,
};
use uuid::Uuid;

use super::{ask, ended, peer::Peer, plain, read, source, workshop};
use crate::world::{Ground, on_both, until};

on_both! {
    what_waits_for_a_source_that_is_removed_fails
}

async fn what_waits_for_a_source_that_is_removed_fails(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/later", 202, "", "").says("/other", 202, "", "").says("/now", 200, "", "7");
    let shop = workshop(ground, &peer).await;
    let mut ids = Vec::new();
    for path in ["/later", "/other", "/now"] {
        let fields = json!({"name": path, "url": peer.url(path), "result_type": "number"});
        ids.push(source(&shop, fields).await.unwrap().id);
    }
    let [later, other, now] = ids[..] else { panic!("three sources") };
    let median = |ids: &[Uuid], n: u32| json!({"data_source_ids": ids, "aggregation": {"method": "median", "n": n}, "ttl": "1h"});
    let alone = ask(&shop, json!({"data_source_id": later, "ttl": "1h"})).await.unwrap().id;
    let enough = ask(&shop, median(&[later, now], 1)).await.unwrap().id;
    let too_few = ask(&shop, median(&[later, now], 2)).await.unwrap().id;
    let open = ask(&shop, median(&[later, other], 1)).await.unwrap().id;
    for (id, attempts) in [(alone, 1), (enough, 2), (too_few, 2), (open, 2)] {
        until("the sources are asked", async || read(&shop, id).await.attempts.len() == attempts).await;
    }
    // A pause of what is gone holds nothing back.
    let new = NewPause { reason: "maintenance".to_owned(), until: None };
    shop.perform(PauseWork { target: Target::of::<OracleSource>(later), new }).await.unwrap();
    shop.perform(Remove::<OracleSource>::new(later, None)).await.unwrap();
    let told = ended(&shop, alone).await;
    assert_eq!(told.status.as_str(), "failed");
    assert_eq!(told.error.as_deref(), Some("the source was removed before it answered"));
    let told = ended(&shop, enough).await;
    assert_eq!((told.status.as_str(), plain(&told).as_deref()), ("succeeded", Some("\"7\"")));
    assert_eq!(ended(&shop, too_few).await.status.as_str(), "failed");
    let told = async || read(&shop, open).await.answers[0].error.is_some();
    until("the request knows", told).await;
    assert_eq!(read(&shop, open).await.status.as_str(), "running", "the other source may answer still");
}
