//! The document of the API: fresh, whole, and without contradictions.

use sl_http::{openapi, routes};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/openapi.json");

#[test]
fn the_committed_document_is_fresh() {
    let document = openapi::document(&routes::all());
    let written = serde_json::to_string_pretty(&document).expect("JSON") + "\n";
    #[expect(clippy::disallowed_methods, reason = "a switch of the test command, not a setting")]
    if std::env::var_os("SERVICE_LAYER_REGEN").is_some() {
        std::fs::write(COMMITTED, &written).expect("the document can be written");
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(committed == written, "sdk/openapi.json is not what the operations say; run ./x regen");
}

#[test]
fn no_two_types_share_a_name() {
    assert_eq!(openapi::clashes(&routes::all()), Vec::<String>::new());
}

#[test]
fn the_codes_of_problems_are_a_closed_set() {
    let document = openapi::document(&routes::all());
    let code = &document["components"]["schemas"]["Problem"]["properties"]["code"];
    let codes: Vec<&str> =
        code["enum"].as_array().into_iter().flatten().filter_map(|code| code.as_str()).collect();
    assert_eq!(codes, sl_actors::Code::ALL.map(sl_actors::Code::as_str), "{code}");
}

#[test]
fn operations_are_named_once_and_belong_to_a_group() {
    let table = routes::all();
    let mut ids: Vec<&str> = table.iter().map(|operation| operation.id.as_str()).collect();
    ids.sort_unstable();
    let mut once = ids.clone();
    once.dedup();
    assert_eq!(ids, once);
    for operation in &table {
        let known = routes::GROUPS.iter().any(|(name, ..)| *name == operation.group());
        assert!(known, "{} has no sentence in GROUPS", operation.id);
    }
}

#[test]
fn every_reference_within_the_document_leads_somewhere() {
    let document = openapi::document(&routes::all());
    let mut lost = Vec::new();
    let mut left = vec![&document];
    while let Some(value) = left.pop() {
        if let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap_or_default();
            if document.pointer(pointer).is_none() {
                lost.push(reference);
            }
        }
        left.extend(value.as_array().into_iter().flatten());
        left.extend(value.as_object().into_iter().flat_map(|members| members.values()));
    }
    lost.sort_unstable();
    lost.dedup();
    assert_eq!(lost, Vec::<&str>::new());
}
