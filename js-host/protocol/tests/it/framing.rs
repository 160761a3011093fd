use crate::samples;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use sl_js_protocol::*;
use std::fmt::Debug;

fn there_and_back<M: Serialize + DeserializeOwned + PartialEq + Debug>(messages: &[M]) {
    let mut stream = Vec::new();
    for message in messages {
        write_frame(&mut stream, message).expect("fits");
    }
    let mut rest = stream.as_slice();
    for message in messages {
        assert_eq!(read_frame::<M>(&mut rest).expect("whole").as_ref(), Some(message));
    }
    assert!(read_frame::<M>(&mut rest).expect("a clean end").is_none());
}

#[test]
fn every_message_comes_back_as_it_was() {
    there_and_back(&samples::to_host());
    there_and_back(&samples::to_daemon());
}

proptest! {
    #[test]
    fn frames_come_back_however_the_stream_is_cut(cuts in prop::collection::vec(1_usize..40, 1..200)) {
        let sent = samples::to_daemon();
        let stream: Vec<u8> = sent.iter().flat_map(|message| encode(message).expect("fits")).collect();
        let mut buffer = FrameBuffer::new();
        let mut got = Vec::new();
        let mut rest = stream.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at((*cut).min(rest.len()));
            buffer.push(piece);
            rest = later;
            while let Some(message) = buffer.take::<ToDaemon>().expect("whole") {
                got.push(message);
            }
        }
        prop_assert!(buffer.is_empty());
        prop_assert_eq!(got, sent);
    }
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_truncated() {
    let frame = encode(&ToDaemon::Pong(300)).expect("fits");
    for end in 1..frame.len() {
        let fault = read_frame::<ToDaemon>(&mut &frame[..end]).expect_err("cut short");
        assert!(matches!(fault, FrameFault::Truncated), "{end}: {fault}");
    }
}

#[test]
fn a_message_that_does_not_fit_is_not_written() {
    let body = Some(vec![0; MAX_FRAME_BYTES]);
    let request = FetchRequest {
        run: RunId(1),
        id: 1,
        method: String::new(),
        url: String::new(),
        headers: vec![],
        body,
        follow_redirects: false,
    };
    let mut stream = Vec::new();
    let fault = write_frame(&mut stream, &ToDaemon::FetchRequest(request)).expect_err("too large");
    assert!(matches!(fault, FrameFault::TooLarge { most: MAX_FRAME_BYTES, .. }));
    assert!(stream.is_empty());
}

#[test]
fn secrets_do_not_show_when_a_run_is_printed() {
    let shown = format!("{:?}", samples::to_host());
    assert!(shown.contains("\"key\""));
    assert!(!shown.contains("swordfish"));
}
