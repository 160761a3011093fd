//! Every operation of the document that is built in can be reached.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::program::Program;

/// The words, the method, the path and the scope of every operation.
fn operations() -> Vec<(Vec<String>, String)> {
    let document: Value = serde_json::from_str(include_str!("../../../sdk/openapi.json")).expect("JSON");
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let scope = operation["x-scope"].as_str().unwrap_or_default();
            let words = id.split('.').map(|word| word.replace('_', "-")).collect();
            all.push((words, format!("{} {path} (scope: {scope})", method.to_uppercase())));
        }
    }
    assert!(all.len() > 10, "the document is the API's");
    all
}

#[test]
fn every_operation_is_a_command_of_its_own() {
    let program = Program::alone().with("SERVICE_LAYER_OPENAPI", "");
    for (words, told) in operations() {
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = program.out(&arguments);
        assert_eq!(help.lines().next_back(), Some(told.as_str()), "{words:?}");
    }
}

#[test]
fn every_operation_tells_what_its_command_needs() {
    let document: Value = serde_json::from_str(include_str!("../../../sdk/openapi.json")).expect("JSON");
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            for name in ["operationId", "summary", "x-scope"] {
                assert!(operation[name].is_string(), "{method} {path} has no {name}");
            }
            assert!(
                method == "get" || operation["x-idempotent"] == true,
                "{method} {path} is not idempotent"
            );
        }
    }
}

#[test]
fn no_two_operations_have_the_same_words() {
    let mut seen = BTreeSet::new();
    for (words, told) in operations() {
        assert!(seen.insert(words), "{told}");
    }
}
