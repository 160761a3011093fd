use crate::samples;
use proptest::prelude::*;
use sl_js_protocol::*;

fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    [&length.to_le_bytes()[..], payload].concat()
}

/// Both readers answer the same, and neither panics.
fn both(stream: &[u8]) -> Result<Option<ToDaemon>, String> {
    let mut buffer = FrameBuffer::new();
    buffer.push(stream);
    let buffered = buffer.take::<ToDaemon>();
    let read = read_frame::<ToDaemon>(&mut &*stream);
    match (buffered, read) {
        (Ok(Some(one)), Ok(Some(other))) => {
            assert_eq!(one, other);
            Ok(Some(one))
        }
        (Ok(None), Ok(None) | Err(FrameFault::Truncated)) => Ok(None),
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string());
            Err(one.to_string())
        }
        (one, other) => panic!("buffered {one:?}, read {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_payload_is_a_message_or_a_fault(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = both(&framed(&payload));
    }

    #[test]
    fn any_stream_is_answered(stream in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = both(&stream);
    }

    #[test]
    fn a_damaged_message_is_a_message_or_a_fault(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let all = samples::to_daemon();
        let mut frame = encode(which.get(&all)).expect("fits");
        let at = at.index(frame.len());
        frame[at] = byte;
        let _ = both(&frame);
    }
}

#[test]
fn a_frame_over_the_cap_is_refused_by_its_length_alone() {
    let length = u32::try_from(MAX_FRAME_BYTES + 1).expect("fits");
    let fault = both(&length.to_le_bytes()).expect_err("too large");
    assert!(fault.contains("8388609"), "{fault}");
    both(&u32::MAX.to_le_bytes()).expect_err("too large");
}

#[test]
fn bytes_after_the_message_are_refused() {
    let mut payload = encode(&ToDaemon::Pong(1)).expect("fits").split_off(4);
    assert_eq!(both(&framed(&payload)), Ok(Some(ToDaemon::Pong(1))));
    payload.push(0);
    both(&framed(&payload)).expect_err("something follows");
}

#[test]
fn an_empty_frame_is_no_message() {
    both(&framed(&[])).expect_err("empty");
}

/// `Done` with ever more empty actions: three bytes each in the frame, 72 in memory.
#[test]
fn lists_are_capped_by_count() {
    let done = |count: usize| {
        let action = Action { id: String::new(), kind: String::new(), params_json: String::new() };
        let done = Done {
            run: RunId(1),
            ending: Ending::Unsettled,
            actions: vec![action; count],
            usage: Usage::default(),
            leaving: false,
        };
        encode(&ToDaemon::Done(Box::new(done))).expect("fits")
    };
    assert!(both(&done(10_000)).expect("allowed").is_some());
    both(&done(10_001)).expect_err("one too many");
}

/// A list that claims 2^60 items, none of which follow, reserves nothing for them.
#[test]
fn a_claimed_count_is_not_believed() {
    let mut payload =
        encode(&ToDaemon::Hello(Hello { protocol: 1, v8: String::new(), jit: true, walls: vec![] }))
            .expect("fits")
            .split_off(4);
    payload.pop();
    payload.extend([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
    both(&framed(&payload)).expect_err("nothing follows");
}
