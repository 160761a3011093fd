//! The chain is read once whoever dies.

use std::time::Duration;

use serde_json::Value;
use sl_store::testing::postgres::Database;

use crate::world::{KEY, is_soak, node::Node, on_threads, process::Daemon, until};

fn daemon(dsn: &str, node: &Node) -> Daemon {
    Daemon::start(&[
        ("DATABASE_URL", dsn),
        ("SECRET_ENCRYPTION_KEY", KEY),
        ("NEO_RPC_URL", &node.url()),
        ("SERVICE_LAYER_NEO_START_HEIGHT", "1"),
        ("SERVICE_LAYER_NEO_POLL", "50ms"),
        ("SERVICE_LAYER_NEO_PAGE", "20"),
        ("SERVICE_LAYER_NEO_COMMIT_EVENTS", "1"),
        ("SERVICE_LAYER_DUTIES_LEASE", "1s"),
        ("SERVICE_LAYER_DUTIES_HEARTBEAT", "300ms"),
    ])
}

#[test]
fn each_block_is_told_once_and_in_order_through_a_storm_of_kills() {
    let (blocks, kills) = if is_soak() { (3_000, 20) } else { (300, 4) };
    on_threads(async {
        let database = Database::fresh().await;
        let dsn = database.dsn();
        let node = Node::start(blocks, Duration::from_millis(3));
        let mut daemons = [daemon(&dsn, &node), daemon(&dsn, &node)];
        for kill in 0..kills {
            tokio::time::sleep(Duration::from_millis(600)).await;
            let victim = &mut daemons[kill % 2];
            victim.kill();
            *victim = daemon(&dsn, &node);
            node.adds(5);
        }
        let last = blocks + 5 * u64::try_from(kills).expect("few kills");
        let client = daemons[0].client();
        let patience = Duration::from_mins(2);
        let done = until(&client, "/system/neo", patience, |seen: &Value| seen["next_height"] == last).await;
        assert_eq!(done["lag"], 0, "{done}");
        let admin = database.admin().await;
        let told = |kind: &str, member: &str| {
            format!(
                "SELECT count(*) FROM (SELECT (data->>'{member}')::bigint AS block, \
                 row_number() OVER (ORDER BY transaction_id, sequence) AS place \
                 FROM events WHERE kind = '{kind}') AS told WHERE block = place"
            )
        };
        for (kind, member) in [("neo.block", "index"), ("neo.notification", "block")] {
            let all = admin.number(&format!("SELECT count(*) FROM events WHERE kind = '{kind}'")).await;
            let in_place = admin.number(&told(kind, member)).await;
            let wanted = i64::try_from(last).expect("a number") - 1;
            assert_eq!((all, in_place), (wanted, wanted), "{kind}");
        }
        println!("{last} blocks, {kills} kills: each told once and in its place");
    });
}
