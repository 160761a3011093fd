//! Origins that mean harm are cut short.

use std::{io::Write as _, time::Instant};

use flate2::{Compression, write::GzEncoder};

use super::*;

fn open(limits: EgressLimits) -> Egress {
    guard(limits, "127.0.0.0/8", &Names::of(&[]))
}

fn too_large(outcome: Result<Response, EgressError>) -> &'static str {
    match outcome {
        Err(EgressError::TooLarge { setting, .. }) => setting,
        other => panic!("not too large: {other:?}"),
    }
}

async fn pour(mut stream: TcpStream, head: &'static str, drop: &'static [u8]) {
    let _ = stream.write_all(head.as_bytes()).await;
    while stream.write_all(drop).await.is_ok() {}
}

#[tokio::test]
async fn an_endless_body_is_cut_at_its_limit() {
    static KILOBYTE: [u8; 1024] = [b'x'; 1024];
    let origin = Origin::start(|stream, _| pour(stream, "HTTP/1.1 200 OK\r\n\r\n", &KILOBYTE)).await;
    let egress = open(EgressLimits::default());
    let began = Instant::now();
    assert_eq!(too_large(get(&egress, origin.url("/")).await), "egress.response_body");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_not_read() {
    let origin = Origin::saying("HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n").await;
    assert_eq!(too_large(get(&open(quick()), origin.url("/")).await), "egress.response_body");
}

#[tokio::test]
async fn a_caller_may_ask_for_less_never_for_more() {
    let body = format!("HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n{}", "x".repeat(2000));
    let origin = Origin::saying(body).await;
    for (limit, setting, passes) in [(1999, 5000, false), (5000, 1999, false), (2000, 5000, true)] {
        let egress = open(EgressLimits { response_body: setting, ..quick() });
        let request = Request::new(Uuid::nil(), Method::GET, origin.url("/"));
        let outcome = egress.send(Request { max_response: Some(limit), ..request }).await;
        assert_eq!(outcome.is_ok(), passes, "{limit} {setting}");
    }
}

#[tokio::test]
async fn a_dripping_body_and_a_silent_peer_are_cut_in_time() {
    let dripping = Origin::start(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let silent = Origin::start(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let egress = open(quick());
    for origin in [dripping, silent] {
        let began = Instant::now();
        let outcome = get(&egress, origin.url("/")).await;
        assert_eq!(outcome.expect_err("cut"), EgressError::TimedOut { limit: quick().total });
        assert!(began.elapsed() < quick().total * 2);
    }
    assert_eq!(egress.status().outcomes["timed_out"], 2);
    assert_eq!(egress.status().accounts, 0);
}

#[tokio::test]
async fn a_compressed_bomb_is_cut_when_it_swells() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..48 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20, "it passes on the wire");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
    let origin = Origin::saying([head.as_bytes(), &bomb].concat()).await;
    assert_eq!(too_large(get(&open(EgressLimits::default()), origin.url("/")).await), "egress.response_body");
}

#[tokio::test]
async fn header_floods_are_cut_by_number_and_by_size() {
    let many = (0..200).fold(String::from("HTTP/1.1 200 OK\r\n"), |head, n| head + &format!("x-{n}: y\r\n"));
    let many = Origin::saying(many + "content-length: 0\r\n\r\n").await;
    let large = (0..50).fold(String::from("HTTP/1.1 200 OK\r\n"), |head, n| {
        head + &format!("x-{n}: {}\r\n", "y".repeat(4000))
    });
    let large = Origin::saying(large + "content-length: 0\r\n\r\n").await;
    let endless =
        Origin::start(|stream, _| pour(stream, "HTTP/1.1 200 OK\r\n", b"x: yyyyyyyyyyyyyyyyyyy\r\n")).await;
    let one_endless =
        Origin::start(|stream, _| pour(stream, "HTTP/1.1 200 OK\r\nx: ", b"yyyyyyyyyyyyyyyyy")).await;
    let egress = open(EgressLimits::default());
    assert_eq!(too_large(get(&egress, many.url("/")).await), "egress.response_headers");
    assert_eq!(too_large(get(&egress, large.url("/")).await), "egress.response_header_bytes");
    for origin in [endless, one_endless] {
        assert_eq!(too_large(get(&egress, origin.url("/")).await), "egress.response_headers");
    }
}

#[tokio::test]
async fn a_redirect_loop_ends_after_the_last_allowed_hop() {
    let origin = Origin::saying(
        "HTTP/1.1 307 Again\r\nlocation: /again\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    )
    .await;
    let outcome = get(&open(quick()), origin.url("/")).await;
    assert_eq!(outcome.expect_err("a loop"), EgressError::TooManyRedirects { limit: 5 });
    assert_eq!(origin.connections(), 6);
}

#[tokio::test]
async fn broken_answers_are_told_as_such() {
    for answer in [
        "",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain",
        "HTTP/1.1 302 Found\r\nlocation: http://[broken\r\ncontent-length: 0\r\n\r\n",
    ] {
        let origin = Origin::saying(answer).await;
        let outcome = get(&open(quick()), origin.url("/")).await;
        assert!(matches!(outcome, Err(EgressError::Protocol { .. })), "{answer:?} gave {outcome:?}");
    }
}

#[tokio::test]
async fn an_account_waits_for_itself_only() {
    let silent = Origin::start(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let good = Origin::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let egress = open(EgressLimits { account_concurrency: 2, account_waiting: 3, ..quick() });
    let flood = (0..6).map(|_| get(&egress, silent.url("/")));
    let neighbour = async {
        tokio::task::yield_now().await;
        let request = Request::new(Uuid::from_u128(2), Method::GET, good.url("/"));
        let served = egress.send(request).await.expect("the neighbour is served");
        (served, silent.connections())
    };
    let (flood, (neighbour, connections)) = tokio::join!(futures_util::future::join_all(flood), neighbour);
    assert!(neighbour.elapsed < quick().total / 2, "{:?}", neighbour.elapsed);
    let busy = EgressError::Busy { setting: "egress.account_waiting", limit: 3 };
    assert_eq!(flood.iter().filter(|outcome| outcome.as_ref().is_err_and(|error| *error == busy)).count(), 1);
    assert!(connections <= 2, "the others of the flood wait: {connections}");
    assert!(silent.connections() >= 2, "two of them were under way");
    assert!(flood.iter().all(Result::is_err), "and all waited in vain");
    assert_eq!(egress.status().accounts, 0);
}
