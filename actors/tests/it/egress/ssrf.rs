//! Nothing a tenant writes reaches an address that is not public.

use std::sync::{Arc, atomic::Ordering};

use sl_actors::egress::{AllowList, Egress, EgressError, Request, SystemResolver};

use super::*;

/// URLs that lead home, in every way of writing that URL parsers, resolvers or C libraries have ever understood.
const CORPUS: [&str; 62] = [
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.255.255.254:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://0X7F.1:{port}/",
    "http://2130706433:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0177.1:{port}/",
    "http://00000177.0.0.1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://１２７.０.０.１:{port}/",
    "http://127。0。0。1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:7f00:0001]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b:1::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[fec0::1]:{port}/",
    "http://[fd00::1]:{port}/",
    "http://[ff02::1]:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://ⓛocalhost:{port}/",
    "http://localtest.test:{port}/",
    "http://mixed.test:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0xa9fea9fe/latest/meta-data/",
    "http://[::ffff:a9fe:a9fe]/latest/meta-data/",
    "http://metadata.test/computeMetadata/v1/",
    "http://10.0.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://192.168.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://198.18.0.1:{port}/",
    "http://192.0.2.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://user:password@public.test:{port}/",
    "http://public.test@127.0.0.1:{port}/",
    "http://public.test\\@127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}\\",
    "  http://127.0.0.1:{port}/\n",
];

/// Not http at all, or nothing that can be fetched.
const OTHER: [&str; 12] = [
    "",
    "/relative",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET%20/",
    "unix:///run/docker.sock",
    "data:text/plain,x",
    "ws://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}0000/",
    "http://",
];

fn names() -> Arc<Names> {
    Names::of(&[
        ("localhost", &[&["127.0.0.1", "::1"]]),
        ("localtest.test", &[&["127.0.0.1"]]),
        ("mixed.test", &[&["10.0.0.1", "::1", "::ffff:127.0.0.1"]]),
        ("metadata.test", &[&["169.254.169.254"]]),
        ("public.test", &[&["127.0.0.1"]]),
        ("rebinding.test", &[&["192.0.2.1"], &["127.0.0.1"]]),
        ("opened.test", &[&["127.0.0.1"]]),
    ])
}

async fn canaries() -> (u16, Vec<Origin>) {
    let home = Origin::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let port = home.port;
    let mut all = vec![home];
    // A machine without IPv6 has no such canary, and nobody could reach it there.
    all.extend(Origin::start_at(&format!("[::1]:{port}"), |_, _| async {}).await);
    (port, all)
}

fn assert_refused(url: &str, outcome: &Result<Response, EgressError>) {
    // A name such as `localhost.` may also have no address at all.
    let refused = matches!(
        outcome,
        Err(EgressError::Refused { .. } | EgressError::Invalid { .. } | EgressError::Dns { .. })
    );
    assert!(refused, "{url:?} gave {outcome:?}");
}

#[tokio::test]
async fn no_way_of_writing_leads_home() {
    let (port, canaries) = canaries().await;
    let owned = guard(quick(), "", &names());
    let system = Egress::new(quick(), AllowList::default(), Arc::new(SystemResolver::new(4))).unwrap();
    for template in CORPUS.iter().chain(&OTHER) {
        let url = template.replace("{port}", &port.to_string());
        for egress in [&owned, &system] {
            assert_refused(&url, &get(egress, &url).await);
        }
    }
    assert_eq!(canaries.iter().map(Origin::connections).sum::<usize>(), 0);
}

#[tokio::test]
async fn no_redirect_leads_home() {
    let (port, canaries) = canaries().await;
    for template in CORPUS {
        let target = template.trim().replace("{port}", &port.to_string());
        if !target.is_ascii() || target.starts_with("http:1") {
            // The first cannot stand in a header; the second is relative to the origin, which is open.
            continue;
        }
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
        let origin = Origin::saying(answer).await;
        let egress = guard(quick(), &format!("opened.test:{}", origin.port), &names());
        let outcome = get(&egress, format!("http://opened.test:{}/", origin.port)).await;
        // Some targets are not URLs at all, so there is no hop to refuse.
        let unreadable = matches!(outcome, Err(EgressError::Protocol { .. }));
        if !unreadable {
            assert_refused(&target, &outcome);
        }
        assert_eq!(origin.connections(), 1, "{target}");
    }
    assert_eq!(canaries.iter().map(Origin::connections).sum::<usize>(), 0);
}

#[tokio::test]
async fn a_name_is_resolved_once_and_a_changed_answer_is_judged_anew() {
    let (port, canaries) = canaries().await;
    let names = names();
    // The first address is opened, so that the name is "public" once; nothing listens there.
    let egress = guard(quick(), "192.0.2.1", &names);
    let url = format!("http://rebinding.test:{port}/");
    let first = get(&egress, &url).await;
    assert!(matches!(first, Err(EgressError::Connect { .. })), "{first:?}");
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    let second = get(&egress, &url).await;
    let refused = EgressError::Refused { host: "rebinding.test".into(), reason: "loopback" };
    assert_eq!(second.expect_err("home"), refused);
    assert_eq!(names.asked.load(Ordering::SeqCst), 2);
    assert_eq!(canaries.iter().map(Origin::connections).sum::<usize>(), 0);
}

#[tokio::test]
async fn ports_of_other_protocols_are_closed_unless_opened() {
    let egress = guard(quick(), "10.9.9.9:25", &names());
    for port in [22, 25, 5432, 6379] {
        let refused = EgressError::Refused { host: "1.1.1.1".into(), reason: "port" };
        assert_eq!(get(&egress, format!("http://1.1.1.1:{port}/")).await.expect_err("closed"), refused);
    }
    assert_eq!(egress.admit("http://10.9.9.9:25/"), Ok(()));
    assert!(egress.admit("http://10.9.9.9:80/").is_err());
}

#[tokio::test]
async fn methods_that_open_tunnels_are_refused() {
    let (port, canaries) = canaries().await;
    let egress = guard(quick(), "127.0.0.1", &names());
    for method in ["CONNECT", "TRACE", "track"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let outcome =
            egress.send(Request::new(Uuid::nil(), method, format!("http://127.0.0.1:{port}/"))).await;
        assert!(matches!(outcome, Err(EgressError::Invalid { .. })), "{outcome:?}");
    }
    assert_eq!(canaries[0].connections(), 0);
}
